// The model in the browser itself, by ONNX Runtime: nothing is uploaded.
import { fitPoses } from './fitting.js';
import { gif } from './gif.js';

const RUNTIME = '../onnxruntime/ort.wasm.bundle.min.js';
const TORSO = [2, 5, 8, 11]; // shoulders and hips

async function open(file) {
  if (typeof WebAssembly !== 'object') {
    throw new Error('This browser has no WebAssembly, which the model needs. Please use a '
      + 'recent Firefox, Chrome, Edge or Safari.');
  }
  const answer = await fetch(file).catch(() => ({ ok: false, status: 'no answer' }));
  if (!answer.ok) throw new Error(`The model file ${file} is missing (${answer.status}).`);
  const content = new Uint8Array(await answer.arrayBuffer());
  try {
    const runtime = await import(RUNTIME);
    // One thread needs no headers of the web server; a worker keeps the page awake.
    runtime.env.wasm.numThreads = 1;
    runtime.env.wasm.proxy = true;
    return { runtime, session: await runtime.InferenceSession.create(content) };
  } catch (error) {
    const [first] = String(error?.message ?? error).split('\n');
    throw new Error(`The model ${file} cannot be run in this browser (${first}).`);
  }
}

function canvasOf(width, height) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  return { canvas, context };
}

// A canvas of pixels [H, W, 3], `scale` times as large.
function enlarged(pixels, [height, width], scale) {
  const small = canvasOf(width, height);
  const image = small.context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    image.data.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  small.context.putImageData(image, 0, 0);
  const large = canvasOf(scale * width, scale * height);
  large.context.drawImage(small.canvas, 0, 0, scale * width, scale * height);
  return large;
}

// In base64.
const png = ({ canvas }) => canvas.toDataURL('image/png').split(',')[1];

// The pixels [H, W, 3] of a picture, at the model's size.
async function pixelsOf(address, [height, width]) {
  const image = Object.assign(new Image(), { src: address });
  await image.decode().catch(() => { throw new Error(`${address} cannot be read.`); });
  const { context } = canvasOf(width, height);
  context.drawImage(image, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return Uint8Array.from({ length: 3 * width * height }, (_, i) => (
    data[4 * Math.floor(i / 3) + (i % 3)]));
}

export function connect(setup) {
  const fit = (poses, body) => fitPoses(poses, body, setup.size, setup.margin);
  let opened = null;
  let newest = {}; // the photo whose pixels were read last

  // Once; after a failure it is tried again.
  function ready() {
    opened ??= open(setup.model).catch((error) => { opened = null; throw error; });
    return opened;
  }

  async function photoOf(address) {
    if (newest.address !== address) {
      newest = { address, pixels: await pixelsOf(address, setup.size) };
    }
    return newest.pixels;
  }

  // As the server does.
  function check(keypoints) {
    if (!keypoints.some((point) => point[2])) {
      throw new Error('The pose has no visible joint. Show one at least.');
    }
    if (setup.needs_view && !TORSO.every((joint) => keypoints[joint][2])) {
      throw new Error('The pose lacks a shoulder or a hip, so that the view (front, side or '
        + 'back) cannot be told, which is all that this model sees of a pose.');
    }
  }

  // The pictures by name, `scale` times as large.
  async function generate({ image, source_keypoints: joints, keypoints, scale = 1 }) {
    check(keypoints);
    const { runtime, session } = await ready();
    const points = (rows) => (
      new runtime.Tensor('float32', Float32Array.from(rows.flat()), [1, 18, 3]));
    const photo = await photoOf(image);
    const given = {
      // A copy, for the worker takes it away.
      photos: new runtime.Tensor('uint8', photo.slice(), [1, ...setup.size, 3]),
      keypoints: points(keypoints),
    };
    if (setup.needs_source_pose) given.source_keypoints = points(joints);
    const images = await session.run(given);
    return [setup.first_image, 'refined'].map((name) => (
      images[name] && enlarged(images[name].data, setup.size, scale)));
  }

  const answer = ([coarse, refined]) => ({ coarse: png(coarse), refined: refined && png(refined) });

  const draw = async (request) => answer(await generate(request));

  async function drawSequence({ sequence, ...request }) {
    const keypoints = fit(setup.sequence_poses[sequence], request.source_keypoints);
    const frames = [];
    const shown = [];
    for (const pose of keypoints) {
      const pictures = await generate({ ...request, keypoints: pose });
      frames.push(answer(pictures));
      const { canvas, context } = pictures[1] ?? pictures[0];
      shown.push(context.getImageData(0, 0, canvas.width, canvas.height).data);
    }
    const size = setup.size.map((side) => side * (request.scale ?? 1));
    return { frames, keypoints, animation: gif(shown, size, setup.frame_ms) };
  }

  async function readPhoto(file) {
    const bitmap = await createImageBitmap(file).catch(() => {
      throw new Error(`${file.name}: this browser cannot read it as a photo. Try a JPEG or `
        + 'PNG file.');
    });
    return { bitmap, note: '', source_keypoints: null, poses: {} };
  }

  // What OpenPose writes; the first person.
  async function readPose(file) {
    let values = null;
    try {
      values = JSON.parse(await file.text()).people[0].pose_keypoints_2d;
    } catch { /* said below */ }
    if (values?.length !== 54 || !values.every(Number.isFinite)) {
      throw new Error(`${file.name}: holds no person of 18 joints as OpenPose writes it.`);
    }
    const [height, width] = setup.size;
    const pose = setup.joints.map((_, joint) => values.slice(3 * joint, 3 * joint + 3))
      .map(([x, y, sure]) => (sure > 0 && sure >= setup.min_confidence ? [x, y, 1] : [0, 0, 0]));
    if (!pose.some((point) => point[2])) {
      throw new Error(`${file.name}: no pose in it has a joint.`);
    }
    const inside = pose.every(([x, y]) => x >= 0 && x < width && y >= 0 && y < height);
    return { keypoints: inside ? pose : fit([pose], null)[0], note: '' };
  }

  return { ready, draw, drawSequence, readPhoto, readPose };
}
