// The Opus packets of utterances, kept so that they can be downloaded, within a bound for all of them together.

/** Most bytes of packets that are kept, over all utterances: half an hour at 64 kbit/s. */
export const KEPT_BYTES = 16 * 1024 * 1024;

const BLOCK_BYTES = 64 * 1024;

/**
 * The packets of one utterance, in order. They are copied into a few large blocks: an object for each packet would cost
 * more than what is in it.
 */
export class Packets {
  constructor() {
    /** How many packets there are. */
    this.length = 0;
    /** Their bytes. */
    this.bytes = 0;
    /** Whether they were given up to make room for those of a later utterance. */
    this.dropped = false;
    /** @private @type {Uint8Array[]} */
    this.blocks = [];
    /** @private how much of the last block is taken */
    this.taken = BLOCK_BYTES;
    /** @private for each packet: block, offset, bytes, duration */
    this.places = new Uint32Array(4 * 64);
    /** @private */
    this.positions = new Float64Array(64);
  }

  /**
   * @param {Uint8Array} payload one Opus packet
   * @param {number} position of its first sample that is heard, in samples at 48 kHz
   * @param {number} duration what is heard of it, in samples at 48 kHz
   */
  add(payload, position, duration) {
    if (this.dropped) {
      return;
    }
    const size = payload.byteLength;
    let block = this.blocks[this.blocks.length - 1];
    if (block === undefined || this.taken + size > block.byteLength) {
      block = new Uint8Array(Math.max(BLOCK_BYTES, size));
      this.blocks.push(block);
      this.taken = 0;
    }
    block.set(payload, this.taken);
    if (this.length === this.positions.length) {
      this.grow();
    }
    this.places.set([this.blocks.length - 1, this.taken, size, duration], 4 * this.length);
    this.positions[this.length] = position;
    this.taken += size;
    this.length += 1;
    this.bytes += size;
  }

  /**
   * @param {number} index 0 to `length` - 1
   * @returns {{payload: Uint8Array, position: number, duration: number}} the payload is a view, not a copy
   */
  at(index) {
    const [block = 0, offset = 0, size = 0, duration = 0] = this.places.subarray(4 * index, 4 * index + 4);
    const payload = this.blocks[block]?.subarray(offset, offset + size);
    if (payload === undefined || index >= this.length) {
      throw new RangeError(`no packet ${index} of ${this.length}`);
    }
    return { payload, position: this.positions[index] ?? 0, duration };
  }

  /** Gives up all packets, those to come as well. */
  drop() {
    this.dropped = true;
    this.blocks = [];
    this.length = 0;
    this.bytes = 0;
  }

  /** @private */
  grow() {
    const places = new Uint32Array(this.places.length * 2);
    places.set(this.places);
    this.places = places;
    const positions = new Float64Array(this.positions.length * 2);
    positions.set(this.positions);
    this.positions = positions;
  }
}

/** Bounds the packets of many utterances; of those that nobody holds any more it holds nothing either. */
export class PacketShelf {
  /** @param {number} limit most bytes */
  constructor(limit = KEPT_BYTES) {
    this.limit = limit;
    /** @private @type {WeakRef<Packets>[]} oldest first */
    this.kept = [];
    /** @private */
    this.sinceCheck = 0;
  }

  /** @returns {Packets} those of a new utterance */
  open() {
    const packets = new Packets();
    this.kept.push(new WeakRef(packets));
    return packets;
  }

  /**
   * Makes room, once enough has come that it can matter: the oldest utterance's packets go first.
   *
   * @param {number} added bytes that have come since the last call
   */
  added(added) {
    this.sinceCheck += added;
    if (this.sinceCheck < BLOCK_BYTES) {
      return;
    }
    this.sinceCheck = 0;
    this.kept = this.kept.filter((each) => !(each.deref()?.dropped ?? true));
    const all = this.kept.map((each) => each.deref()).filter((each) => each !== undefined);
    let total = all.reduce((sum, each) => sum + each.bytes, 0);
    for (const each of all) {
      if (total <= this.limit) {
        break;
      }
      total -= each.bytes;
      each.drop();
    }
  }
}
