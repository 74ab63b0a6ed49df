// What the panels of the page share.
const MOMENT = 100; // milliseconds

export const png = (content) => `data:image/png;base64,${content}`;

export function say(panel, text, isError = false) {
  const note = panel.querySelector('.note');
  note.textContent = text;
  note.classList.toggle('error', isError);
}

// Does work once for all that ask for it within a moment, such as a drag.
export function gathered(work) {
  let timer = null;
  return () => { timer ??= setTimeout(() => { timer = null; work(); }, MOMENT); };
}

// A row of buttons with pictures, of which one is pressed.
export function makeStrip(panel, items, pick) {
  const buttons = items.map((item) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.title = item.name;
    button.setAttribute('aria-label', item.name);
    const picture = document.createElement('img');
    picture.src = item.picture;
    picture.alt = '';
    button.append(picture);
    button.addEventListener('click', () => pick(item));
    return button;
  });
  panel.querySelector('.strip').append(...buttons);
  return (name) => buttons.forEach((button) => (
    button.setAttribute('aria-pressed', String(button.title === name))));
}

// Takes a file by choice or by drop, and what `make` makes of it; `refuse` hears of one
// that it makes nothing of. Returns what reads a file again, with more for `make`.
export function takeFiles(panel, make, maxBytes, take, refuse = () => {}) {
  const input = panel.querySelector('input[type=file]');
  const area = panel.querySelector('.picture');
  async function read(file, ...more) {
    if (!file) return;
    try {
      if (file.size > maxBytes) {
        throw new Error(`${file.name} is larger than ${Math.round(maxBytes / 2 ** 20)} MB.`);
      }
      say(panel, `Reading ${file.name} …`);
      take(await make(file, ...more), file);
    } catch (error) {
      say(panel, error.message, true);
      refuse(error, file);
    }
  }
  input.addEventListener('change', () => { read(input.files[0]); input.value = ''; });
  area.addEventListener('dragover', (event) => {
    event.preventDefault();
    area.classList.add('drop');
  });
  area.addEventListener('dragleave', () => area.classList.remove('drop'));
  area.addEventListener('drop', (event) => {
    event.preventDefault();
    area.classList.remove('drop');
    read(event.dataTransfer.files[0]);
  });
  return read;
}
