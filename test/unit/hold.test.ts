import { expect } from 'chai';

import { describeHold, heldError, judgeHolds, type Hold } from '../../src/core/hold.ts';
import { isKnownRelease, isPodRelease } from '../../src/core/release.ts';
import { migration } from './../support/fakes/files.ts';

describe('releases', () => {
  it('are of a Job with a revision, and of a pod without', () => {
    for (const [release, pod] of [['shop/8@2', false], ['shop@2', true], ['shop/4fa1c0e@2', false], ['shop/8', true], ['team/shop/8@2', false], ['2026-01', true]] as const) {
      expect(isPodRelease(release), release).to.equal(pod);
    }
    expect(isPodRelease(undefined)).to.equal(false);
  });

  const known = ['shop/7@2', 'shop/6@1', 'stock@5', 'web/4fa1c0e@9', 'shop/9@4@sha256:aa'];
  for (const [release, expected] of [
    ['shop/7@2', true],
    ['shop@2', true],
    ['stock@5', true],
    ['web@9', true],
    ['web/0b77d21@9', false],
    ['shop@1', true],
    ['shop/8@2', false],
    ['shop@3', false],
    ['shop/7@3', false],
    ['other@2', false],
    ['stock/1@5', false],
    ['shop', false],
    ['shop@4@sha256:aa', true],
    ['shop@4@sha256:bb', false],
    ['shop@4', false],
  ] as const) {
    it(`${release} is ${expected ? 'known' : 'new'} beside ${known.join(', ')}`, () => {
      expect(isKnownRelease(release, known)).to.equal(expected);
    });
  }
});

describe('a hold', () => {
  const file = migration('003_c');
  const hold: Hold = {
    ...{ version: '003_c', at: new Date('2026-01-02T03:04:05Z'), by: 'rb-1', release: 'shop/7@2', reason: 'it locks orders' },
    ...{ releases: ['shop/6@1', 'shop/7@2'], upChecksum: file.up.checksum },
  };
  const judged = (release: string | undefined, more: { files?: ReturnType<typeof migration>[]; reapply?: string[]; hold?: Partial<Hold> } = {}) => {
    const { binding, ended } = judgeHolds([{ ...hold, ...more.hold }], more.files ?? [file], { release, reapply: more.reapply ?? [] });
    return [...binding.map(() => 'held'), ...ended.map(({ because }) => because)].join();
  };

  it('binds the releases that were known, their pods, and who has none', () => {
    for (const release of ['shop/7@2', 'shop@2', 'shop/6@1', 'shop@1', undefined]) expect(judged(release), String(release)).to.equal('held');
  });

  it('ends with a new release', () => {
    for (const release of ['shop/8@2', 'shop/8@3', 'shop@3']) expect(judged(release), release).to.equal('new release');
  });

  it('ends when a person wants it, and with a changed file, whoever comes', () => {
    expect(judged('shop@2', { reapply: ['003_c'] })).to.equal('reapply');
    expect(judged('shop@2', { reapply: ['002_b'] })).to.equal('held');
    expect(judged('shop@2', { files: [migration('003_c', 'SELECT 2')] })).to.equal('changed file');
    expect(judged(undefined, { files: [migration('003_c', 'SELECT 2')] })).to.equal('changed file');
  });

  it('of which nobody knows the text stays for every text', () => {
    expect(judged('shop@2', { files: [migration('003_c', 'SELECT 2')], hold: { upChecksum: undefined } })).to.equal('held');
  });

  it('is nothing to files that lack the version, and does not end with them', () => {
    expect(judged('shop/9@1', { files: [migration('002_b')] })).to.equal('');
  });

  it('without any release that was known binds only who has none', () => {
    expect(judged(undefined, { hold: { releases: [] } })).to.equal('held');
    expect(judged('shop@1', { hold: { releases: [] } })).to.equal('new release');
  });

  it('is told with who, when, why, and what ends it', () => {
    expect(describeHold(hold)).to.equal('003_c was rolled back by rb-1 (release shop/7@2) at 2026-01-02T03:04:05.000Z: it locks orders');
    expect(describeHold({ ...hold, release: undefined, reason: undefined })).to.equal('003_c was rolled back by rb-1 at 2026-01-02T03:04:05.000Z');
    const error = heldError([hold, { ...hold, version: '004_d' }]);
    expect(error).to.include({ code: 'HISTORY_CONFLICT', exit: 22 });
    expect(error.summary).to.match(/^003_c, 004_d are held.*nothing was applied$/);
    expect(error.details.problems).to.have.length(2);
    expect(error.hint).to.contain('lockstep up --reapply 003_c,004_d').and.contain('lockstep repair');
    expect(heldError([hold]).details.version).to.equal('003_c');
  });
});
