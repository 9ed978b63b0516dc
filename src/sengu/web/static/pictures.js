// Pictures at screen size; the next ones are loaded and decoded ahead, so that a key shows one at once.

const SIZES = [160, 320, 640, 960, 1280, 2560];
const LARGEST = 1100; // pixels of the screen; who wants to see more, zooms
export const AHEAD = 20; // pictures after the one that is shown

export function sizeFor(pixels) {
  const wanted = pixels * (devicePixelRatio || 1);
  return SIZES.find((size) => size >= wanted) || SIZES[SIZES.length - 1];
}

// For a place on the page that a picture is to fill.
export const sizeFilling = (element) => sizeFor(Math.min(Math.max(element.clientWidth, element.clientHeight), LARGEST));

export const address = (id, size) => `/picture/${size}/${id}`;

export class Ahead {
  constructor(size) {
    this.size = size;
    this.kept = new Map();
  }

  // The element of a picture, decoded or on its way.
  picture(id) {
    let image = this.kept.get(id);
    if (!image) {
      image = new Image();
      image.decoding = "sync";
      image.src = address(id, this.size);
      image.ready = image.decode().catch(() => {});
      this.kept.set(id, image);
    }
    return image;
  }

  // Loads the picture that is shown and those after it, and forgets what is far behind.
  prepare(ids) {
    const wanted = new Set(ids.slice(0, AHEAD + 1));
    for (const id of wanted) this.picture(id);
    for (const id of this.kept.keys()) {
      if (this.kept.size <= 2 * AHEAD) break;
      if (!wanted.has(id)) this.kept.delete(id);
    }
  }
}
