// Who pauses, and when each goes on: one at a time, so that no order is left to chance; turnstile.py
// is its twin.

// Between two moves of a program the event loop takes fewer turns than these, whatever it does.
const QUIET_TURNS = 5;

// What the strands of one program pass when they pause. A strand waits until nobody of its program can
// get on; then the first in line goes on alone. One that stands at a gate when its turn comes does not
// hold up the line, nor does one that a reset has ended.
export class Turnstile {
  line = [];
  moves = 0;
  ended = false;

  // Say that a strand gets on: before each of its steps, and after.
  moved() {
    this.moves++;
  }

  // Wait in line. What another request's code resolves would pass the gate: it looks for itself.
  async pause() {
    const place = { turn: this.ended };
    this.line.push(place);
    this.moved();
    do await scheduler.wait(1);
    while (!place.turn && !this.ended);
    this.moved();
  }

  // Let one after the other go on, until `end()`.
  async run() {
    while (!this.ended) {
      if (this.line.length === 0) {
        await scheduler.wait(1);
        continue;
      }
      await this.quiet();
      this.line.shift().turn = true;
      this.moved();
    }
  }

  end() {
    this.ended = true;
  }

  // Return when nobody can get on and nobody is in line.
  async settle() {
    do await this.quiet();
    while (this.line.length > 0);
  }

  // Return when nobody has moved for so long that nobody can.
  async quiet() {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      const moves = this.moves;
      await scheduler.wait(1);
      if (moves !== this.moves) turns = -1;
    }
  }
}
