// The page: a person, a pose, and what the model makes of them.
import { makeOwnPhoto } from './own_photo.js';
import { makeStrip, png, say, takeFiles } from './parts.js';
import { makePoses } from './poses.js';

const setup = await (await fetch('setup.json')).json();
// Where the model is a file, the browser runs it, else the server.
const { connect } = await import(setup.model ? './in_browser.js' : './server.js');
const model = connect(setup);
const [height, width] = setup.size;
document.documentElement.style.setProperty('--ratio', width / height);

const person = document.querySelector('#person');
const result = document.querySelector('#result');
const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
const pause = result.querySelector('.pause');
const who = person.querySelector('.who');
let group; // the file of the photo, while it may show several people
let photo = ''; // its address
let joints = null; // of the person in the photo, if they are known
let large = null; // photo and joints at the photo's own resolution, if that is higher
let newest = 0; // request; the answers to others are not shown
let generating = false;
let changed = false; // while a picture is generated
let single = null; // the newest request of a single picture
let frames = [];
let poses = []; // of the frames of a sequence
let frame = 0;
let clock = null;

function choose(chosen, name) {
  person.querySelector('.photo').alt = name;
  say(person, chosen.note);
  markPerson(name);
  take(setup.model ? ownPhoto.open(chosen) : chosen);
}

// A person, as chosen, or as the visitor moves photo and joints.
function take(chosen) {
  photo = chosen.picture;
  joints = chosen.source_keypoints;
  large = chosen.large
    && { image: chosen.large, source_keypoints: chosen.large_keypoints, large: true };
  person.querySelector('.photo').src = chosen.large ?? photo;
  editor.fit(chosen.poses);
  generate();
}

// Of a group photo, who of so many people is meant.
function offer(count, file) {
  if (file !== undefined && file === group) return;
  group = file;
  who.hidden = !(count > 1);
  const numbers = Array.from({ length: count || 0 }, (_, i) => new Option(i + 1, i + 1));
  who.querySelector('select').replaceChildren(new Option('the largest', 0), ...numbers);
}

// While a joint is dragged, the newest pose waits and the others are left out. When the
// pose rests, the picture comes at the photo's own resolution.
async function generate() {
  changed = true;
  if (generating) return;
  generating = true;
  while (changed) {
    changed = false;
    const keypoints = editor.keypoints();
    await showOne({ image: photo, source_keypoints: joints, keypoints });
    if (!large) continue;
    await new Promise((rested) => { setTimeout(rested, 300); });
    if (!changed && frames.length === 1) await showOne({ ...large, keypoints });
  }
  generating = false;
}

function showOne(request) {
  return show(request, model.draw, (answer, seconds) => {
    frames = [answer];
    poses = [];
    single = request.large ? null : request;
    return `Generated in ${seconds.toFixed(2)} seconds.`;
  });
}

async function show(request, draw, take) {
  const turn = ++newest;
  try {
    await model.ready();
    const begin = performance.now();
    const answer = await draw(request);
    if (turn !== newest) return;
    say(result, take(answer, (performance.now() - begin) / 1000));
    result.querySelector('.player').hidden = frames.length < 2;
    frame = 0;
    step();
    play(frames.length > 1 && !calm);
  } catch (error) {
    if (turn === newest) say(result, error.message, true);
  }
}

document.querySelector('.about').textContent = setup.about;
document.querySelectorAll('[data-only]').forEach((node) => {
  node.hidden = node.dataset.only !== (setup.model ? 'browser' : 'server');
});
if (setup.model) say(result, 'Loading the model …');

// A downloaded picture is larger than one that follows the mouse; the frames of a
// sequence are large already.
for (const name of ['coarse', 'refined']) {
  const link = result.querySelector(`.${name} a`);
  link.addEventListener('click', async (event) => {
    if (frames.length > 1 || !single) return;
    event.preventDefault();
    try {
      const answer = await model.draw({ ...single, scale: setup.scale });
      const large = document.createElement('a');
      large.download = link.download;
      large.href = png(answer[name]);
      large.click();
    } catch (error) {
      say(result, error.message, true);
    }
  });
}

// The picture of a single network is not called coarse.
if (setup.first_image === 'generated') {
  const figure = result.querySelector('.coarse');
  figure.querySelector('img').alt = 'Generated picture';
  figure.querySelector('.name').hidden = true;
  const link = figure.querySelector('a');
  link.download = 'generated.png';
  link.setAttribute('aria-label', 'Download the generated picture as PNG');
}

function step() {
  put('coarse', frames[frame].coarse);
  put('refined', frames[frame].refined);
  editor.preview(poses[frame] ?? null);
  frame = (frame + 1) % frames.length;
}

function play(on) {
  clearInterval(clock);
  clock = on ? setInterval(step, setup.frame_ms) : null;
  pause.textContent = on ? 'Pause' : 'Play';
}

function put(name, picture) {
  const figure = result.querySelector(`.${name}`);
  figure.hidden = !picture;
  if (!picture) return;
  figure.querySelector('img').src = png(picture);
  figure.querySelector('a').href = png(picture);
}

pause.addEventListener('click', () => play(clock === null));

const sequences = result.querySelector('select');
sequences.append(...setup.sequences.map((name) => (
  new Option(name[0].toUpperCase() + name.slice(1), name))));
result.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  say(result, 'Generating the sequence …');
  const request = {
    image: photo,
    source_keypoints: joints,
    ...large,
    sequence: sequences.value,
    scale: setup.scale,
  };
  show(request, model.drawSequence, (answer) => {
    frames = answer.frames;
    poses = answer.keypoints;
    result.querySelector('.animation').href = `data:image/gif;base64,${answer.animation}`;
    return `${sequences.selectedOptions[0].text}: ${frames.length} pictures.`;
  });
});

const editor = makePoses(document.querySelector('#pose'), setup, model.readPose, generate);
const ownPhoto = setup.model && makeOwnPhoto(person, setup, take);
const markPerson = makeStrip(person, setup.people, (item) => {
  offer(0);
  choose(item, item.name);
});
const readPhoto = takeFiles(person, model.readPhoto, setup.max_bytes, (answer, file) => {
  offer(answer.people, file);
  choose(answer, file.name);
}, (error, file) => offer(error.people, file));
who.querySelector('select').addEventListener('change', (event) => {
  readPhoto(group, event.target.value);
});
choose(setup.people[0], setup.people[0].name);
