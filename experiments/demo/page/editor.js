const [height, width] = props.size;
const svg = find('svg');
const note = find('.pg2-note');
const title = (joint) => {
  const name = props.joints[joint].replace('_', ' ');
  return name[0].toUpperCase() + name.slice(1);
};
const SVG = 'http://www.w3.org/2000/svg';
const DRAW_EVERY = 100; // milliseconds, while a joint moves
const REACH = 32; // pixels of the screen from which a joint is grasped
const clamp = (value, most) => Math.min(Math.max(value, 0), most);

let points = []; // [x, y, visible]; a hidden joint keeps its place
let history = [];
let selected = null;
let grasped = null;
let timer = null;

function make(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
const unit = Math.max(height, width) / 128;
const limbs = props.limbs.map(([a, b, color]) => make('line', {
  stroke: color, 'stroke-width': 2 * unit, 'stroke-linecap': 'round', opacity: 0.8,
}, svg));
const joints = props.joints.map((_, joint) => {
  const face = joint === 0 || joint > 13;
  const node = make('circle', {
    r: (face ? 1.5 : 2.2) * unit, fill: props.joint_colors[joint], tabindex: 0,
    role: 'button', 'data-joint': joint, class: 'pg2-joint',
  }, svg);
  node.addEventListener('focus', () => select(joint));
  node.addEventListener('keydown', (event) => press(event, joint));
  return node;
});

function take(keypoints) {
  const before = points;
  points = keypoints.map(([x, y, visible], joint) => (
    visible > 0 ? [x, y, 1] : [...(before[joint] || [width / 2, height / 2]).slice(0, 2), 0]
  ));
}

function paint() {
  props.limbs.forEach(([a, b], i) => {
    const shown = points[a][2] && points[b][2];
    limbs[i].setAttribute('display', shown ? 'inline' : 'none');
    limbs[i].setAttribute('x1', points[a][0] + 0.5);
    limbs[i].setAttribute('y1', points[a][1] + 0.5);
    limbs[i].setAttribute('x2', points[b][0] + 0.5);
    limbs[i].setAttribute('y2', points[b][1] + 0.5);
  });
  points.forEach(([x, y, visible], joint) => {
    const node = joints[joint];
    node.setAttribute('display', visible ? 'inline' : 'none');
    node.setAttribute('cx', x + 0.5);
    node.setAttribute('cy', y + 0.5);
    node.setAttribute('aria-label', `${title(joint)}, ${where(joint)}`);
    node.classList.toggle('pg2-selected', joint === selected);
  });
  paintTools();
}

const where = (joint) => points[joint].slice(0, 2).map((v, i) => (
  `${Math.round(v)} ${i ? 'down' : 'right'}`)).join(', ');

function paintTools() {
  const hide = find('.pg2-hide');
  hide.disabled = selected === null || !points[selected][2];
  hide.textContent = hide.disabled ? 'Hide joint' : `Hide ${title(selected).toLowerCase()}`;
  find('.pg2-undo').disabled = !history.length;
  const tray = find('.pg2-hidden');
  tray.replaceChildren(...points.flatMap(([, , visible], joint) => {
    if (visible) return [];
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'pg2-button';
    button.dataset.joint = joint;
    button.textContent = `Show ${title(joint).toLowerCase()}`;
    button.addEventListener('click', () => reveal(joint));
    return [button];
  }));
  const content = { version: 1.3, people: [{ pose_keypoints_2d: sent().flat() }] };
  find('.pg2-save').href = `data:application/json,${encodeURIComponent(JSON.stringify(content))}`;
}

const sent = () => points.map(([x, y, visible]) => (
  visible ? [+x.toFixed(2), +y.toFixed(2), 1] : [0, 0, 0]));

function changed(text) {
  if (text) say(note, text);
  mark(null);
  paint();
  if (timer === null) timer = setTimeout(send, DRAW_EVERY);
}

function send() {
  timer = null;
  props.value = { keypoints: sent() };
  trigger('input');
}

function remember() {
  history.push(points.map((point) => [...point]));
  history = history.slice(-100);
}

function select(joint) {
  if (selected === joint) return;
  selected = joint;
  paint();
}

function move(joint, x, y) {
  points[joint] = [clamp(x, width - 1), clamp(y, height - 1), 1];
}

function hide(joint) {
  remember();
  points[joint][2] = 0;
  changed(`${title(joint)} is hidden.`);
  const show = find(`.pg2-hidden [data-joint="${joint}"]`);
  if (show) show.focus();
}

function reveal(joint) {
  remember();
  points[joint][2] = 1;
  selected = joint;
  changed(`${title(joint)} is shown.`);
  joints[joint].focus();
}

function undo() {
  if (!history.length) return;
  points = history.pop();
  changed('Undone.');
}

function press(event, joint) {
  const step = event.shiftKey ? 5 : 1;
  const [dx, dy] = {
    ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
  }[event.key] || [0, 0];
  if (dx || dy) {
    remember();
    move(joint, points[joint][0] + dx, points[joint][1] + dy);
    changed(`${title(joint)}: ${where(joint)}.`);
  } else if (['h', 'H', 'Delete', 'Backspace'].includes(event.key)) {
    hide(joint);
  } else if (event.key === 'z' && (event.ctrlKey || event.metaKey)) {
    undo();
  } else {
    return;
  }
  event.preventDefault();
}

// The picture's pixels under a point of the screen, and how many pixels of the screen
// one of them takes.
function place(event) {
  const box = svg.getBoundingClientRect();
  const scale = box.width / width;
  return [(event.clientX - box.left) / scale - 0.5, (event.clientY - box.top) / scale - 0.5, scale];
}

// Joints of a face are small and close together: the nearest one is meant.
function nearest(event) {
  const [x, y, scale] = place(event);
  let best = null;
  let least = REACH / scale;
  points.forEach(([px, py, visible], joint) => {
    const distance = Math.hypot(px - x, py - y);
    if (visible && distance < least) [best, least] = [joint, distance];
  });
  return best;
}

svg.addEventListener('pointerdown', (event) => {
  grasped = nearest(event);
  if (grasped === null) return;
  event.preventDefault();
  svg.setPointerCapture(event.pointerId);
  remember();
  select(grasped);
  joints[grasped].focus({ preventScroll: true });
});
svg.addEventListener('pointermove', (event) => {
  if (grasped === null) {
    svg.style.cursor = nearest(event) === null ? 'default' : 'grab';
    return;
  }
  const [x, y] = place(event);
  move(grasped, x, y);
  changed();
});
for (const end of ['pointerup', 'pointercancel']) {
  svg.addEventListener(end, () => {
    if (grasped !== null) say(note, `${title(grasped)}: ${where(grasped)}.`);
    grasped = null;
  });
}
// A finger on a joint drags it; elsewhere it scrolls the page.
svg.addEventListener('touchstart', (event) => {
  if (nearest(event.touches[0]) !== null) event.preventDefault();
}, { passive: false });

find('.pg2-hide').addEventListener('click', () => hide(selected));
find('.pg2-undo').addEventListener('click', undo);
find('.pg2-mirror').addEventListener('click', () => {
  remember();
  points = props.mirrored.map((joint) => {
    const [x, y, visible] = points[joint];
    return [width - 1 - x, y, visible];
  });
  changed('Mirrored.');
});

const mark = strip(find('.pg2-strip'), props.poses, (item) => {
  remember();
  take(item.keypoints);
  changed(`${item.name}.`);
  mark(item.name);
});
takeFiles(find('input'), find('.pg2-picture'), note, (name, upload) => {
  props.value = { keypoints: sent(), upload: { name, content: upload } };
  trigger('upload');
});
watch('value', () => {
  const { keypoints, note: text, error, upload } = props.value;
  if (upload || !text) return;
  if (!error) {
    remember();
    take(keypoints);
    changed(text);
  }
  say(note, text, error);
});
take(props.value.keypoints);
paint();
mark(props.value.name);
