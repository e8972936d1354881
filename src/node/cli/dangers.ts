/** What commands that can do harm say of it in their help. */

/** Of `cairn producers confirm-lost-record`. */
export const DANGER = `
A producer's vote record says what it has promised. Without it the node follows the chain and promises nothing (status:
recovering), because a second, different promise can make two chains irreversible. This command makes a fresh record. It
keeps the producer out of all views that its disk knows of, and out of those that other producers return a message of its
from; it takes part again when the others have opened a later view without it. Under Raft they do so at once; under BFT
when the leader's tenure ends, fails or is stopped.

Do it only if
  - no other copy of this directory runs, or will ever run: two with one key vote against each other;
  - the other producers run: they hold what this one said, until they are restarted. Do not restart them meanwhile.

Under VSR a lost record comes back by itself from the answers of a majority of the others, so this is for one case only:
others have lost theirs as well, and too few are left. The record then counts what is left for all there is. Confirm it
for one producer after another, until the rest comes back by itself; what only those had that have lost it is gone.

The safe way is another one: take this producer out of the set and bring the machine back under a new key.`;
