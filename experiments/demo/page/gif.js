// An animation as a GIF file: 256 colours for all frames, chosen by median cut.
const COLORS = 256;
const BITS = 5; // of a channel, by which pixels are counted
const MOST_CODES = 4096; // of the compression

const bin = (r, g, b) => (
  ((r >> (8 - BITS)) << (2 * BITS)) | ((g >> (8 - BITS)) << BITS) | (b >> (8 - BITS)));

// How many pixels are alike, and their mean colour: bins [number, count, [r, g, b]].
function count(frames) {
  const counts = new Float64Array(2 ** (3 * BITS));
  const sums = [0, 1, 2].map(() => new Float64Array(counts.length));
  for (const data of frames) {
    for (let i = 0; i < data.length; i += 4) {
      const at = bin(data[i], data[i + 1], data[i + 2]);
      counts[at] += 1;
      for (let c = 0; c < 3; c += 1) sums[c][at] += data[i + c];
    }
  }
  return [...counts.keys()].filter((at) => counts[at]).map((at) => (
    [at, counts[at], sums.map((sum) => sum[at] / counts[at])]));
}

// The channel in which the colours of a box differ most, and by how much times how often.
function spread(box) {
  const ranges = [0, 1, 2].map((c) => {
    const values = box.map(([, , color]) => color[c]);
    return values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));
  });
  const range = Math.max(...ranges);
  const number = box.reduce((sum, [, times]) => sum + times, 0);
  return { box, number, channel: ranges.indexOf(range), weight: range * number };
}

// Two halves with about as many pixels.
function split({ box, number, channel }) {
  const sorted = [...box].sort((a, b) => a[2][channel] - b[2][channel]);
  let left = 0;
  const middle = sorted.findIndex(([, times]) => { left += times; return left >= number / 2; });
  const cut = Math.min(middle + 1, sorted.length - 1);
  return [sorted.slice(0, cut), sorted.slice(cut)].map(spread);
}

// The colours, and which of them each bin has.
function choose(frames) {
  let boxes = [spread(count(frames))];
  while (boxes.length < COLORS) {
    const widest = boxes.reduce((a, b) => (b.weight > a.weight ? b : a));
    if (!widest.weight) break;
    boxes = [...boxes.filter((box) => box !== widest), ...split(widest)];
  }
  const colors = new Uint8Array(3 * COLORS);
  const of = new Uint8Array(2 ** (3 * BITS));
  boxes.forEach(({ box, number }, index) => {
    for (let c = 0; c < 3; c += 1) {
      const sum = box.reduce((total, [, times, color]) => total + times * color[c], 0);
      colors[3 * index + c] = Math.round(sum / number);
    }
    for (const [at] of box) of[at] = index;
  });
  return { colors, of };
}

// LZW as GIF has it: codes of 9 to 12 bits, which begin anew when there are 4096.
function compress(indices) {
  const bytes = [];
  let bits = 0;
  let filled = 0;
  let size = 9;
  let codes = new Map();
  let next = COLORS + 2;
  function write(code) {
    bits |= code << filled;
    for (filled += size; filled > 7; filled -= 8) {
      bytes.push(bits & 255);
      bits >>>= 8;
    }
  }
  write(COLORS);
  let known = indices[0];
  for (const index of indices.subarray(1)) {
    const longer = known * COLORS + index;
    const code = codes.get(longer);
    if (code === undefined) {
      write(known);
      codes.set(longer, next);
      if (next === 2 ** size && size < 12) size += 1;
      next += 1;
      if (next === MOST_CODES) {
        write(COLORS);
        [codes, next, size] = [new Map(), COLORS + 2, 9];
      }
      known = index;
    } else {
      known = code;
    }
  }
  write(known);
  write(COLORS + 1);
  if (filled) bytes.push(bits & 255);
  return bytes;
}

const short = (value) => [value & 255, value >> 8];

// `frames` are pixels RGBA, row by row, each shown for so many milliseconds, again and
// again; returns the file in base64.
export function gif(frames, [height, width], milliseconds) {
  const { colors, of } = choose(frames);
  const screen = [...short(width), ...short(height)];
  const parts = [
    new TextEncoder().encode('GIF89a'), [...screen, 0xf7, 0, 0], colors,
    [0x21, 0xff, 11], new TextEncoder().encode('NETSCAPE2.0'), [3, 1, 0, 0, 0],
  ];
  for (const data of frames) {
    const indices = Uint8Array.from({ length: width * height }, (_, i) => (
      of[bin(data[4 * i], data[4 * i + 1], data[4 * i + 2])]));
    parts.push([0x21, 0xf9, 4, 4, ...short(Math.round(milliseconds / 10)), 0, 0]);
    parts.push([0x2c, 0, 0, 0, 0, ...screen, 0, 8]);
    const bytes = compress(indices);
    for (let i = 0; i < bytes.length; i += 255) {
      const block = bytes.slice(i, i + 255);
      parts.push([block.length], block);
    }
    parts.push([0]);
  }
  parts.push([0x3b]);
  const texts = parts.map((part) => String.fromCharCode(...part));
  return btoa(texts.join(''));
}
