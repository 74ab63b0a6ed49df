// The skeleton editor: 18 joints to drag, move by keys, hide and show.
import { makeStrip, say, takeFiles } from './parts.js';

const SVG = 'http://www.w3.org/2000/svg';
const GENERATE_EVERY = 100; // milliseconds, while a joint moves
const REACH = 32; // pixels of the screen from which a joint is grasped
const ARROWS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
const clamp = (value, most) => Math.min(Math.max(value, 0), most);

function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
}

export function makeEditor(panel, setup, generate) {
  const [height, width] = setup.size;
  const unit = Math.max(height, width) / 128;
  const find = (selector) => panel.querySelector(selector);
  const svg = find('svg');
  set(svg, { viewBox: `0 0 ${width} ${height}` });
  let points = setup.joints.map(() => [width / 2, height / 2, 0]); // x, y, visible
  let previewed = null; // the pose of a playing sequence; a change begins from it
  let picked = null; // the name of the ready-made pose that is shown unchanged
  let fitted = {}; // ready-made poses at the size of the person's body, by name
  let history = [];
  let selected = null;
  let grasped = null;
  let timer = null;

  const titles = setup.joints.map((name) => (
    name[0].toUpperCase() + name.slice(1).replace('_', ' ')));
  const where = ([x, y]) => `${Math.round(x)} right, ${Math.round(y)} down`;

  function make(name, attributes) {
    const node = document.createElementNS(SVG, name);
    set(node, attributes);
    svg.append(node);
    return node;
  }

  const limbs = setup.limbs.map(([, , color]) => make('line', {
    stroke: color, 'stroke-width': 2 * unit, 'stroke-linecap': 'round', opacity: 0.8,
  }));
  const joints = titles.map((_, joint) => {
    const isFace = joint === 0 || joint > 13;
    const node = make('circle', {
      r: (isFace ? 1.5 : 2.2) * unit, fill: setup.joint_colors[joint], tabindex: 0,
      role: 'button', class: 'joint', 'data-joint': joint,
    });
    node.addEventListener('focus', () => { selected = joint; paint(); });
    node.addEventListener('keydown', (event) => press(event, joint));
    return node;
  });
  const buttons = titles.map((title, joint) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'button';
    button.textContent = `Show ${title.toLowerCase()}`;
    button.addEventListener('click', () => reveal(joint));
    return button;
  });
  find('.hidden-joints').append(...buttons);

  const shown = () => previewed ?? points;

  function paint() {
    const now = shown();
    setup.limbs.forEach(([a, b], i) => set(limbs[i], {
      display: now[a][2] && now[b][2] ? 'inline' : 'none',
      x1: now[a][0] + 0.5, y1: now[a][1] + 0.5,
      x2: now[b][0] + 0.5, y2: now[b][1] + 0.5,
    }));
    now.forEach((point, joint) => {
      set(joints[joint], {
        display: point[2] ? 'inline' : 'none', cx: point[0] + 0.5, cy: point[1] + 0.5,
        'aria-label': `${titles[joint]}, ${where(point)}`,
      });
      joints[joint].classList.toggle('selected', joint === selected);
      // Those of a playing sequence would come and go.
      if (!previewed) buttons[joint].hidden = Boolean(point[2]);
    });
    const canHide = selected !== null && now[selected][2];
    find('.hide').disabled = !canHide;
    find('.hide').textContent = canHide ? `Hide ${titles[selected].toLowerCase()}` : 'Hide joint';
    find('.undo').disabled = !history.length;
    const content = { version: 1.3, people: [{ pose_keypoints_2d: keypoints().flat() }] };
    const json = encodeURIComponent(JSON.stringify(content));
    find('.save').href = `data:application/json,${json}`;
  }

  const keypoints = () => points.map(([x, y, visible]) => (
    visible ? [+x.toFixed(2), +y.toFixed(2), 1] : [0, 0, 0]));

  function remember() {
    history = [...history.slice(-99), points.map((point) => [...point])];
    if (previewed) points = previewed.map((point) => [...point]);
    previewed = null;
  }

  function changed(text, pressed = null) {
    if (text) say(panel, text);
    picked = pressed;
    mark(pressed);
    paint();
    timer ??= setTimeout(() => { timer = null; generate(); }, GENERATE_EVERY);
  }

  // A hidden joint keeps its place.
  function take(pose, text, name) {
    remember();
    points = pose.map((point, joint) => (
      point[2] > 0 ? point : [points[joint][0], points[joint][1], 0]));
    changed(text, name);
  }

  function move(joint, x, y, text) {
    points[joint] = [clamp(x, width - 1), clamp(y, height - 1), 1];
    changed(text && `${titles[joint]}: ${where(points[joint])}.`);
  }

  function hide(joint) {
    remember();
    points[joint][2] = 0;
    changed(`${titles[joint]} is hidden.`);
    buttons[joint].focus();
  }

  function reveal(joint) {
    remember();
    points[joint][2] = 1;
    changed(`${titles[joint]} is shown.`);
    joints[joint].focus();
  }

  function undo() {
    if (!history.length) return;
    previewed = null;
    points = history.pop();
    changed('Undone.');
  }

  function press(event, joint) {
    if (event.key in ARROWS) {
      const step = event.shiftKey ? 5 : 1;
      const [dx, dy] = ARROWS[event.key];
      remember();
      move(joint, points[joint][0] + step * dx, points[joint][1] + step * dy, true);
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
    return [
      (event.clientX - box.left) / scale - 0.5, (event.clientY - box.top) / scale - 0.5, scale,
    ];
  }

  // Joints of a face are small and close together: take the nearest one.
  function nearest(event) {
    const [x, y, scale] = place(event);
    let best = null;
    let least = REACH / scale;
    shown().forEach(([px, py, visible], joint) => {
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
    joints[grasped].focus({ preventScroll: true });
  });
  svg.addEventListener('pointermove', (event) => {
    if (grasped === null) {
      svg.classList.toggle('near', nearest(event) !== null);
    } else {
      const [x, y] = place(event);
      move(grasped, x, y, false);
    }
  });
  for (const end of ['pointerup', 'pointercancel']) {
    svg.addEventListener(end, () => {
      if (grasped !== null) say(panel, `${titles[grasped]}: ${where(points[grasped])}.`);
      grasped = null;
    });
  }
  // A finger on a joint drags it; elsewhere it scrolls the page.
  svg.addEventListener('touchstart', (event) => {
    if (nearest(event.touches[0]) !== null) event.preventDefault();
  }, { passive: false });

  find('.hide').addEventListener('click', () => hide(selected));
  find('.undo').addEventListener('click', undo);
  find('.mirror').addEventListener('click', () => {
    remember();
    points = setup.mirrored.map((joint) => {
      const [x, y, visible] = points[joint];
      return [width - 1 - x, y, visible];
    });
    changed('Mirrored.');
  });
  const mark = makeStrip(panel, setup.poses, ({ keypoints: pose, name }) => (
    take(fitted[name] ?? pose, `${name}.`, name)));
  find('input').accept = setup.pose_suffixes.join();
  takeFiles(panel, 'pose', setup.max_bytes, (answer, file) => (
    take(answer.keypoints, `${file.name} was read. ${answer.note}`.trim())));

  function pick(name) {
    const { keypoints: pose } = setup.poses.find((each) => each.name === name);
    points = (fitted[name] ?? pose).map((point) => [...point]);
    picked = name;
    mark(name);
    paint();
  }

  // The poses for another person; one that nobody has changed takes its new size.
  function fit(poses) {
    fitted = poses;
    if (picked !== null) pick(picked);
  }

  function preview(pose) {
    if (previewed === null && pose === null) return;
    previewed = pose;
    paint();
  }
  pick(setup.first_pose);
  return { keypoints, preview, fit };
}
