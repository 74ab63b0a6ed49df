// A browser loads no modules from a disk, so that the page would stay empty.
if (window.location.protocol === 'file:') {
  document.querySelector('.about').textContent = 'This page needs a web server. In its folder '
    + 'run: python -m http.server. Then open http://127.0.0.1:8000/';
}
