// The model on the server.

// Posts JSON, or a file as it is; an error's message is the server's.
async function ask(path, body) {
  const isFile = body instanceof Blob;
  const answer = await fetch(`api/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': isFile ? 'application/octet-stream' : 'application/json' },
    body: isFile ? body : JSON.stringify(body),
  }).catch(() => { throw new Error('The server does not answer.'); });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const reason = content.error || `The server answers ${answer.status}.`;
    throw Object.assign(new Error(reason), { people: content.people || 0 });
  }
  return content;
}

export function connect() {
  const named = (file) => `name=${encodeURIComponent(file.name)}`;
  return {
    ready: async () => {},
    draw: (request) => ask('draw', request),
    drawSequence: (request) => ask('sequence', request),
    readPhoto: (file, number = 0) => ask(`photo?${named(file)}&number=${number}`, file),
    readPose: (file) => ask(`pose?${named(file)}`, file),
  };
}
