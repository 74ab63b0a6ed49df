// Poses at the size and place of a body: `ModelQueue.fit_poses` for the browser. A pose
// is 18 rows [x, y, visible]; several are scaled and moved alike.
const NECK = 1;
const HIPS = [8, 11];
const ANKLES = [10, 13];
const FACE = [0, 14, 15, 16, 17];
const CROWN = 0.25; // lengths of the torso from the highest joint of a face to the top

const seen = (poses) => poses.flat().filter(([, , visible]) => visible > 0);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return mean(sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1));
}

// Left, top, right and bottom.
function box(points) {
  const [x, y] = [0, 1].map((axis) => points.map((point) => point[axis]));
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}

function move(poses, scale, [right, down]) {
  return poses.map((points) => points.map(([x, y, visible]) => (
    visible > 0 ? [x * scale + right, y * scale + down, 1] : [0, 0, 0])));
}

// Middles of the hips and lengths from there to the neck, of the poses that show them.
function torsos(poses) {
  return poses.flatMap((points) => {
    const hips = HIPS.map((joint) => points[joint]).filter((hip) => hip[2] > 0);
    const [x, y, visible] = points[NECK];
    if (!hips.length || !(visible > 0)) return [];
    const middle = [mean(hips.map((hip) => hip[0])), mean(hips.map((hip) => hip[1]))];
    return [{ middle, length: Math.hypot(x - middle[0], y - middle[1]) }];
  });
}

// The height of the lowest ankle; null if another joint is lower.
function floorOf(poses) {
  const heights = (points) => seen([points]).map((point) => point[1]);
  const lowest = Math.max(...poses.flatMap(heights));
  const ankles = poses.map((points) => ANKLES.map((joint) => points[joint]));
  return Math.max(...ankles.flatMap(heights)) === lowest ? lowest : null;
}

function crownOf(poses, length) {
  const faces = poses.map((points) => FACE.map((joint) => points[joint]));
  return Math.min(...seen(faces).map((point) => point[1])) - CROWN * length;
}

// Who stands does so on the floor of the body, and keeps the head in the image.
function onFloor(poses, body, { middle: [x], length }) {
  const [floor, lowest] = [floorOf([body]), floorOf(poses)];
  if (floor === null || lowest === null) return poses;
  const standing = move(poses, 1, [0, floor - lowest]);
  const room = floor - Math.min(0, crownOf([body], length));
  const height = floor - crownOf(standing, length);
  const smaller = height > room ? room / height : 1;
  return move(standing, smaller, [(1 - smaller) * x, (1 - smaller) * floor]);
}

// With torso and hips of the body; null where either shows none, or there is no room.
function fitToBody(poses, body, [height, width]) {
  const [of] = torsos([body]);
  const their = torsos(poses);
  const lengths = their.map(({ length }) => length).filter((length) => length > 0);
  if (!(of?.length > 0) || !lengths.length) return null;
  const scale = of.length / median(lengths);
  const shift = [0, 1].map((axis) => (
    of.middle[axis] - scale * mean(their.map(({ middle }) => middle[axis]))));
  const fitted = onFloor(move(poses, scale, shift), body, of);
  const [left, top, right, bottom] = box(seen(fitted));
  if (right - left > width - 1 || bottom - top > height - 1) return null;
  const clip = (least, most) => Math.min(Math.max(0, least), most);
  return move(fitted, 1, [clip(-left, width - 1 - right), clip(-top, height - 1 - bottom)]);
}

// In the middle of the image, with a margin.
function fitToImage(poses, [height, width], margin) {
  const [left, top, right, bottom] = box(seen(poses));
  const longer = Math.max(right - left, bottom - top);
  if (!(longer > 0)) throw new Error('The pose has no two joints in different places.');
  const scale = Math.min(
    width / (right - left + 2 * margin * longer),
    height / (bottom - top + 2 * margin * longer),
  );
  const shift = [width - scale * (left + right), height - scale * (top + bottom)];
  return move(poses, scale, shift.map((value) => value / 2));
}

export function fitPoses(poses, body, size, margin) {
  return (body && fitToBody(poses, body, size)) ?? fitToImage(poses, size, margin);
}
