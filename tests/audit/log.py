#!/usr/bin/env python3
"""Audit logs of format brig-audit/1, made and damaged independently of brig's own code.

  log.py make FILE RECORDS [key=HEX] [rotate=N,N...] [box=N] [start=SECONDS] [step=SECONDS]
      a valid log from nothing: LogOpened, then lives of sandboxes; a new file after these numbers
  log.py canonical FILE...
      whether each line is what this program would print, and the chain holds: the differential
      test of the writer
  log.py DAMAGE FILE ARGS
      edit SEQ OLD NEW     bytes within one line            set SEQ KEY=JSON  a member, printed anew
      drop SEQ [LAST]      lines out of the middle          swap SEQ SEQ      two lines
      move SEQ BEHIND      a line to another place          repeat SEQ [BEHIND]  a second copy
      insert BEHIND TEXT   a line of one's own              keep N            only the first N lines
      behead N             without the first N lines        forge BEHIND KEY=JSON  a record that fits
      tear BYTES           that many bytes off the end      append TEXT       bytes behind the end
      raw SEQ HEX AT       bytes into a line, at an offset
  and behind any of them
      chain=SEQ            prev of all lines from that one on made anew, as who has no key can
      seal=HEX:EPOCH:SEQ   MACs from SEQ on made anew with that epoch's key of K(0) HEX
      ep=N                 with seal: and that epoch written into them
"""
import hashlib
import hmac
import json
import os
import sys

ORDER = ('v seq ts mono boot writer ev sev id gen level cfg action resource outcome source req '
         'principal data prev ep mac').split()
ACTING = [(0x7f, 0x9f), (0x61c, 0x61c), (0x200e, 0x200f), (0x2028, 0x202e), (0x2066, 0x2069),
          (0xfeff, 0xfeff)]


def text(value):
    out = json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    return ''.join('\\u%04x' % ord(c) if any(a <= ord(c) <= b for a, b in ACTING) else c
                   for c in out)


def line_of(record):
    keys = [k for k in ORDER if k in record] + [k for k in record if k not in ORDER]
    return text({k: record[k] for k in keys}).encode()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def key_of(first, epoch):
    k = bytes.fromhex(first)
    for _ in range(epoch):
        k = hashlib.sha256(b'brig-evolve' + k).digest()
    return k


def seal(record, first, epoch=None):
    """The line with the MAC of that epoch's key; the epoch it names stays."""
    record.pop('mac', None)
    body = line_of(record)[:-1]
    key = key_of(first, record['ep'] if epoch is None else epoch)
    return body + b',"mac":"' + hmac.new(key, body, 'sha256').hexdigest().encode() + b'"}'


def stamp(us):
    import time
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(us // 1000000)) + \
        '.%06dZ' % (us % 1000000)


# --- making ----------------------------------------------------------------------------------

def events(boxes):
    n = 0
    while True:
        n += 1
        names = ['%s-%d' % (n, i) for i in range(boxes)]
        for ev, act in (('SandboxCreated', 'create'), ('SandboxStarted', 'start')):
            for name in names:
                yield {'ev': ev, 'sev': 'info', 'id': 'box-' + name, 'gen': 1, 'level': 'high',
                       'action': act, 'outcome': 'ok', 'source': 'cli',
                       'data': {'argv': 'sha256:' + sha(name.encode())}}
        for name in names:
            yield {'ev': 'ViolationDetected', 'sev': 'warning', 'id': 'box-' + name,
                   'resource': 'ptrace\n\x1b[2J\u202e"\\ \u00fc', 'outcome': 'denied',
                   'source': 'warden', 'data': {'class': 'syscall', 'count': n}}
            yield {'ev': 'SandboxExited', 'sev': 'info', 'id': 'box-' + name, 'gen': 1,
                   'action': 'exit', 'outcome': 'ok', 'data': {'status': 'exited'}}
            yield {'ev': 'SandboxDestroyed', 'sev': 'info', 'id': 'box-' + name, 'outcome': 'ok'}


def make(path, count, opts):
    key, rotate = opts.get('key'), [int(n) for n in opts.get('rotate', '').split(',') if n]
    now, step = int(float(opts.get('start', 1795000000)) * 1e6), float(opts.get('step', 0.25))
    log, prev, mono = os.urandom(16).hex(), '0' * 64, 5 * 10**9
    epoch, first_of_epoch, began = 0, 1, now // 1000000
    source, name = events(int(opts.get('box', 1))), os.path.basename(path)
    out = open(path, 'wb')
    for seq in range(1, count + 1):
        if seq == 1:
            r = {'ev': 'LogOpened', 'sev': 'notice',
                 'data': {'log': log, 'machine': 'sha256:' + '5' * 64, 'format': 'brig-audit/1',
                          'epoch_records': 1000, 'epoch_seconds': 900}}
            if key:
                r['data']['key'] = 'sha256:' + sha(bytes.fromhex(key))
        elif seq - 1 in rotate:
            out.close()
            old = '%s.%d' % (path, seq - 1)
            os.rename(path, old)
            out = open(path, 'wb')
            r = {'ev': 'LogRotated', 'sev': 'info',
                 'data': {'log': log, 'file': '%s.%d' % (name, seq - 1)}}
        else:
            r = next(source)
        r.update(v=1, seq=seq, ts=stamp(now), mono=mono, boot='0a1b2c3d-0000-4000-8000-00000000000f',
                 writer='brig/0.1.0 pid=4711 start=815', prev=prev)
        if key:
            if seq - first_of_epoch >= 1000 or now // 1000000 - began >= 900:
                epoch, first_of_epoch, began = epoch + 1, seq, now // 1000000
            r['ep'] = epoch
        line = seal(r, key) if key else line_of(r)
        out.write(line + b'\n')
        prev = sha(line + b'\n')
        now, mono = now + int(step * 1e6), mono + int(step * 1e6)
    out.close()


def canonical(paths):
    prev, seq = '0' * 64, 0
    for path in paths:
        for n, line in enumerate(open(path, 'rb'), 1):
            r = json.loads(line)
            where = '%s:%d: ' % (path, n)
            assert line_of(r) + b'\n' == line, where + 'printed as ' + line_of(r).decode()
            assert r['prev'] == prev and r['seq'] == seq + 1 and r['v'] == 1, where + 'chain'
            prev, seq = sha(line), r['seq']
    print(seq)


# --- damage ----------------------------------------------------------------------------------

def at(lines, seq):
    for i, line in enumerate(lines):
        if line.startswith(b'{"v":1,"seq":%d,' % int(seq)):
            return i
    sys.exit('no seq %s' % seq)


def member(record, word):
    key, value = word.split('=', 1)
    record[key] = json.loads(value)
    return record


def damage(op, lines, a):
    if op == 'edit':
        i = at(lines, a[0])
        assert a[1].encode() in lines[i], lines[i]
        lines[i] = lines[i].replace(a[1].encode(), a[2].encode(), 1)
    elif op == 'raw':
        i, where = at(lines, a[0]), int(a[2])
        lines[i] = lines[i][:where] + bytes.fromhex(a[1]) + lines[i][where:]
    elif op == 'set':
        i = at(lines, a[0])
        record = json.loads(lines[i])
        for word in a[1:]:
            member(record, word)
        lines[i] = line_of(record) + b'\n'
    elif op == 'drop':
        del lines[at(lines, a[0]):at(lines, a[-1]) + 1]
    elif op == 'swap':
        i, k = at(lines, a[0]), at(lines, a[1])
        lines[i], lines[k] = lines[k], lines[i]
    elif op == 'move':
        line = lines.pop(at(lines, a[0]))
        lines.insert(at(lines, a[1]) + 1, line)
    elif op == 'repeat':
        lines.insert(at(lines, a[-1]) + 1, lines[at(lines, a[0])])
    elif op == 'insert':
        lines.insert(at(lines, a[0]) + 1, a[1].encode() + b'\n')
    elif op == 'forge':
        i = at(lines, a[0])
        record = json.loads(lines[i])
        record.update(seq=record['seq'] + 1, prev=sha(lines[i]))
        for word in a[1:]:
            member(record, word)
        lines.insert(i + 1, line_of(record) + b'\n')
    elif op == 'keep':
        del lines[int(a[0]):]
    elif op == 'behead':
        del lines[:int(a[0])]
    elif op == 'tear':
        lines[-1] = lines[-1][:-int(a[0])]
    elif op == 'append':
        lines.append(a[0].encode())
    elif op != 'only':
        sys.exit(__doc__)


def chain_anew(lines, seq):
    for i in range(max(at(lines, seq), 1), len(lines)):
        record = json.loads(lines[i])
        record['prev'] = sha(lines[i - 1])
        lines[i] = line_of(record) + b'\n'


def seal_anew(lines, first, epoch, seq, chain, named):
    for i in range(at(lines, seq), len(lines)):
        record = json.loads(lines[i])
        if chain and i:
            record['prev'] = sha(lines[i - 1])
        if named is not None:
            record['ep'] = int(named)
        lines[i] = seal(record, first, None if epoch == 'own' else int(epoch)) + b'\n'


def main():
    words = sys.argv[1:]
    if len(words) < 2:
        sys.exit(__doc__)
    op, path, rest = words[0], words[1], words[2:]
    opts = dict(w.split('=', 1) for w in rest
                if w.split('=')[0] in ('chain', 'seal', 'ep', 'key', 'rotate', 'box', 'start', 'step')
                and '=' in w)
    args = [w for w in rest if not ('=' in w and w.split('=')[0] in opts and op not in ('set', 'forge'))
            and not (op in ('set', 'forge') and w.split('=')[0] in ('chain', 'seal')
                     and '=' in w)]
    if op in ('set', 'forge'):
        opts.pop('ep', None)
    if op == 'make':
        return make(path, int(args[0]), opts)
    if op == 'canonical':
        return canonical(words[1:])
    with open(path, 'rb') as f:
        lines = f.read().splitlines(keepends=True)
    damage(op, lines, args)
    if 'seal' in opts:
        first, epoch, seq = opts['seal'].split(':')
        seal_anew(lines, first, epoch, seq, 'chain' in opts, opts.get('ep'))
    elif 'chain' in opts:
        chain_anew(lines, opts['chain'])
    # In place: the inode is what a writer knows the file by.
    with open(path, 'wb') as f:
        f.write(b''.join(lines))
    return None


if __name__ == '__main__':
    sys.exit(main())
