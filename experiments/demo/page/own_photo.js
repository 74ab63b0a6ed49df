// A visitor's own photo where nothing finds the person in it: the visitor chooses the
// part that is used, and drags the joints onto the person.
import { makeEditor } from './editor.js';
import { fitPoses } from './fitting.js';
import { gathered, say } from './parts.js';

const ROWS = 512; // of the part that is shown; the model takes it smaller
const HELP = 'Move the photo until the person fills the picture. Then drag the joints onto the '
  + 'person.';

export function makeOwnPhoto(panel, setup, take) {
  const [height, width] = setup.size;
  const [zoom, across, down] = ['.zoom', '.across', '.down'].map((name) => (
    panel.querySelector(name)));
  const canvas = document.createElement('canvas');
  const scale = Math.ceil(ROWS / height);
  Object.assign(canvas, { width: scale * width, height: scale * height });
  const context = canvas.getContext('2d', { alpha: false });
  context.imageSmoothingQuality = 'high';
  const standing = setup.poses.find(({ name }) => name === setup.standing).keypoints;
  let bitmap = null; // the whole photo; null for an example of the model's size
  let chosen = null;
  let placing = false; // the joints are the visitor's
  const soon = gathered(() => take(placed()));
  const editor = makeEditor(panel, setup, soon);

  function cut() {
    const largest = Math.min(bitmap.width / width, bitmap.height / height) / zoom.value;
    const [w, h] = [largest * width, largest * height];
    const [x, y] = [across.value * (bitmap.width - w), down.value * (bitmap.height - h)];
    context.drawImage(bitmap, x, y, w, h, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/png');
  }

  // The person as placed so far.
  function placed() {
    if (!placing) return chosen;
    const joints = editor.keypoints();
    const fitted = ({ name, keypoints }) => (
      [name, fitPoses([keypoints], joints, setup.size, setup.margin)[0]]);
    const poses = Object.fromEntries(setup.poses.map(fitted));
    return { ...chosen, source_keypoints: joints, poses };
  }

  // Takes a person, and lets the visitor place the joints if they are not known but of
  // use.
  function open(person) {
    placing = person.source_keypoints === null && setup.needs_source_pose;
    chosen = person;
    bitmap?.close();
    bitmap = person.bitmap ?? null;
    panel.querySelector('.framing').hidden = !bitmap;
    panel.querySelector('.own-joints').hidden = !placing;
    panel.querySelector('svg').toggleAttribute('hidden', !placing);
    panel.classList.toggle('placing', Boolean(bitmap) || placing);
    editor.begin(standing);
    if (bitmap) {
      [zoom.value, across.value, down.value] = [1, 0.5, 0.5];
      chosen = { ...person, picture: cut() };
    }
    if (placing) say(panel, HELP);
    return placed();
  }

  for (const slider of [zoom, across, down]) {
    slider.addEventListener('input', () => {
      chosen = { ...chosen, picture: cut() };
      soon();
    });
  }
  return { open };
}
