const photo = find('.pg2-photo');
const note = find('.pg2-note');
const mark = strip(find('.pg2-strip'), props.examples, (item) => {
  props.value = { photo: item.picture, name: item.name };
  show();
  trigger('select');
});

function show() {
  photo.src = props.value.photo;
  photo.alt = `The person to draw: ${props.value.name}`;
  say(note, props.value.note, props.value.error);
  mark(props.value.name);
}

takeFiles(find('input'), find('.pg2-picture'), note, (name, upload) => {
  props.value = { ...props.value, upload: { name, content: upload } };
  trigger('upload');
});

watch('value', () => {
  show();
  if (!props.value.error && !props.value.upload) trigger('select');
});
show();
