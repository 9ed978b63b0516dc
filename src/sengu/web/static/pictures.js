// Pictures at screen size; the next ones are loaded and decoded ahead, so that a key shows one at once.

const SIZES = [160, 320, 640, 1280, 2560];
const AHEAD = 20;

export function sizeFor(pixels) {
  const wanted = pixels * (devicePixelRatio || 1);
  return SIZES.find((size) => size >= wanted) || SIZES[SIZES.length - 1];
}

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

  // Loads what comes next, and forgets what is far behind.
  prepare(ids) {
    const wanted = ids.slice(0, AHEAD);
    for (const id of wanted) this.picture(id);
    for (const id of [...this.kept.keys()]) {
      if (this.kept.size <= 2 * AHEAD) break;
      if (!wanted.includes(id)) this.kept.delete(id);
    }
  }
}
