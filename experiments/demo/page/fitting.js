// Poses at the size and place of a body: `ModelQueue.fit_poses` for the browser. A pose
// is 18 rows [x, y, visible]; several are scaled and moved alike.
const NECK = 1;
const HIPS = [8, 11];

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

// With torso and hips of the body; null where either shows none, or there is no room.
function fitToBody(poses, body, [height, width]) {
  const [of] = torsos([body]);
  const their = torsos(poses);
  const lengths = their.map(({ length }) => length).filter((length) => length > 0);
  if (!(of?.length > 0) || !lengths.length) return null;
  const scale = of.length / median(lengths);
  const shift = [0, 1].map((axis) => (
    of.middle[axis] - scale * mean(their.map(({ middle }) => middle[axis]))));
  const fitted = move(poses, scale, shift);
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
