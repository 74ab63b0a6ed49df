// The panel of the pose: ready-made ones, files, and the editor.
import { makeEditor } from './editor.js';
import { gathered, makeStrip, takeFiles } from './parts.js';

export function makePoses(panel, setup, readPose, generate) {
  let picked = null; // the name of the ready-made pose that is shown unchanged
  let fitted = {}; // ready-made poses at the size of the person's body, by name
  const soon = gathered(generate);

  function changed(name) {
    picked = name;
    mark(name);
    soon();
  }

  function save(keypoints) {
    const content = { version: 1.3, people: [{ pose_keypoints_2d: keypoints.flat() }] };
    const json = encodeURIComponent(JSON.stringify(content));
    panel.querySelector('.save').href = `data:application/json,${json}`;
  }

  const editor = makeEditor(panel, setup, changed, save);
  const mark = makeStrip(panel, setup.poses, ({ keypoints, name }) => (
    editor.take(fitted[name] ?? keypoints, `${name}.`, name)));
  panel.querySelector('input').accept = setup.pose_suffixes.join();
  takeFiles(panel, readPose, setup.max_bytes, (answer, file) => (
    editor.take(answer.keypoints, `${file.name} was read. ${answer.note}`.trim())));

  function pick(name) {
    const { keypoints } = setup.poses.find((each) => each.name === name);
    editor.show(fitted[name] ?? keypoints);
    picked = name;
    mark(name);
  }

  // The poses for another person; one that nobody has changed takes its new size.
  function fit(poses) {
    fitted = poses;
    if (picked !== null) pick(picked);
  }

  pick(setup.first_pose);
  return { keypoints: editor.keypoints, preview: editor.preview, fit };
}
