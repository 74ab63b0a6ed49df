// Joined before each panel's script. element, props, trigger and watch are Gradio's.
const find = (selector) => element.querySelector(selector);

function say(place, text, isError) {
  place.textContent = text || '';
  place.classList.toggle('pg2-error', Boolean(isError));
}

// A row of buttons with pictures, of which one is pressed.
function strip(list, items, pick) {
  const buttons = items.map((item) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-label', item.name);
    button.setAttribute('aria-pressed', 'false');
    button.title = item.name;
    const picture = document.createElement('img');
    picture.src = item.picture;
    picture.alt = '';
    button.append(picture);
    button.addEventListener('click', () => pick(item));
    list.append(button);
    return button;
  });
  return (name) => buttons.forEach((button, i) =>
    button.setAttribute('aria-pressed', String(items[i].name === name)));
}

// Takes a file by choice or by drop, and hands over its bytes in base64.
function takeFiles(input, area, place, take) {
  async function read(file) {
    if (!file) return;
    if (file.size > props.max_bytes) {
      const most = Math.round(props.max_bytes / 2 ** 20);
      say(place, `${file.name} is larger than ${most} MB.`, true);
      return;
    }
    say(place, `Reading ${file.name} …`);
    const reader = new FileReader();
    reader.onload = () => take(file.name, String(reader.result).split(',')[1] || '');
    reader.onerror = () => say(place, `${file.name} cannot be read.`, true);
    reader.readAsDataURL(file);
  }
  input.addEventListener('change', () => { read(input.files[0]); input.value = ''; });
  area.addEventListener('dragover', (event) => {
    event.preventDefault();
    area.classList.add('pg2-drop');
  });
  area.addEventListener('dragleave', () => area.classList.remove('pg2-drop'));
  area.addEventListener('drop', (event) => {
    event.preventDefault();
    area.classList.remove('pg2-drop');
    read(event.dataTransfer.files[0]);
  });
}
