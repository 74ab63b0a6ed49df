// The skeleton editor: 18 joints to drag, move by keys, hide and show.
import { say } from './parts.js';

const SVG = 'http://www.w3.org/2000/svg';
const REACH = 32; // pixels of the screen from which a joint is grasped
const ARROWS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
const clamp = (value, most) => Math.min(Math.max(value, 0), most);

function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
}

// `changed` hears of each change, and of the name of a ready-made pose; `painted` of all
// that is shown.
export function makeEditor(panel, setup, changed, painted = () => {}) {
  const [height, width] = setup.size;
  const unit = Math.max(height, width) / 128;
  const find = (selector) => panel.querySelector(selector);
  const svg = find('svg');
  set(svg, { viewBox: `0 0 ${width} ${height}` });
  let points = setup.joints.map(() => [width / 2, height / 2, 0]); // x, y, visible
  let previewed = null; // the pose of a playing sequence; a change begins from it
  let history = [];
  let selected = null;
  let grasped = null;

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
    painted(keypoints());
  }

  const keypoints = () => points.map(([x, y, visible]) => (
    visible ? [+x.toFixed(2), +y.toFixed(2), 1] : [0, 0, 0]));

  function remember() {
    history = [...history.slice(-99), points.map((point) => [...point])];
    if (previewed) points = previewed.map((point) => [...point]);
    previewed = null;
  }

  function change(text, name = null) {
    if (text) say(panel, text);
    paint();
    changed(name);
  }

  // A hidden joint keeps its place.
  function take(pose, text, name) {
    remember();
    points = pose.map((point, joint) => (
      point[2] > 0 ? point : [points[joint][0], points[joint][1], 0]));
    change(text, name);
  }

  function move(joint, x, y, text) {
    points[joint] = [clamp(x, width - 1), clamp(y, height - 1), 1];
    change(text && `${titles[joint]}: ${where(points[joint])}.`);
  }

  function hide(joint) {
    remember();
    points[joint][2] = 0;
    change(`${titles[joint]} is hidden.`);
    buttons[joint].focus();
  }

  function reveal(joint) {
    remember();
    points[joint][2] = 1;
    change(`${titles[joint]} is shown.`);
    joints[joint].focus();
  }

  function undo() {
    if (!history.length) return;
    previewed = null;
    points = history.pop();
    change('Undone.');
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
  // Left for right: of the whole picture, or of the names alone.
  function swap(across, text) {
    remember();
    points = setup.mirrored.map((joint) => {
      const [x, y, visible] = points[joint];
      return [across(x), y, visible];
    });
    change(text);
  }
  find('.mirror')?.addEventListener('click', () => swap((x) => width - 1 - x, 'Mirrored.'));
  find('.swap')?.addEventListener('click', () => swap((x) => x, 'Left and right are swapped.'));

  // Another pose, not one that can be undone.
  function show(pose) {
    points = pose.map((point) => [...point]);
    paint();
  }

  // The first pose of somebody else.
  function begin(pose) {
    history = [];
    selected = null;
    show(pose);
  }

  function preview(pose) {
    if (previewed === null && pose === null) return;
    previewed = pose;
    paint();
  }
  return {
    begin, keypoints, preview, show, take,
  };
}
