// Loaded before a server (node --import), this makes it fit for a test: it
// listens on 127.0.0.1 where it would listen everywhere, says on stderr on which
// port, so that port 0 can be asked for, and exits when its stdin ends, so that
// it does not outlive the test process.

import net from 'node:net';

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (...args) {
  this.once('listening', () => process.stderr.write(`listening on port ${this.address().port}\n`));
  const callback = args.find((arg) => typeof arg === 'function');
  return listen.call(this, { port: Number(args[0]), host: '127.0.0.1' }, callback);
};

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
