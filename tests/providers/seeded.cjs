// Loaded before the server: its chance is a seed's, so that a red run can be played again.
let state = Number(process.env.AIMOCK_SEED ?? 1) >>> 0;
Math.random = () => {
  state = (state + 0x9e3779b9) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
};
