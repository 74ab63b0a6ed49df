const note = find('.pg2-note');
const player = find('.pg2-player');
const pause = find('.pg2-pause');
const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
let frame = 0;
let clock = null;

function put(name, picture) {
  const figure = find(`.pg2-${name}`);
  figure.hidden = !picture;
  if (!picture) return;
  figure.querySelector('img').src = picture;
  figure.querySelector('a').href = picture;
}

function step() {
  const { frames } = props.value;
  const drawn = frames[frame % frames.length];
  put('coarse', drawn.coarse);
  put('refined', drawn.refined);
  frame += 1;
}

function play(on) {
  clearInterval(clock);
  clock = on ? setInterval(step, props.frame_ms) : null;
  pause.textContent = on ? 'Pause' : 'Play';
}

function show() {
  const { coarse, refined, frames, animation, note: text, error } = props.value;
  say(note, text, error);
  if (error) return;
  play(false);
  player.hidden = !frames;
  if (frames) {
    frame = 0;
    step();
    play(!calm);
    find('.pg2-animation').href = animation;
  } else {
    put('coarse', coarse);
    put('refined', refined);
  }
}

pause.addEventListener('click', () => play(clock === null));
watch('value', show);
show();
