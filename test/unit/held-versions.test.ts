import { expect } from 'chai';

import { describeHeldVersion, judgeHeldVersions, type HeldVersion } from '../../src/core/plan/held-versions.ts';
import { isKnownRelease, isPodRelease, releaseName } from '../../src/core/release.ts';
import { heldVersionsError } from '../../src/engine/migrate/held-versions.ts';

describe('releases', () => {
  it('have a revision in a Job and none in a plain pod', () => {
    for (const [release, pod] of [
      ['shop/8@2', false],
      ['shop@2', true],
      ['shop/4fa1c0e@2', false],
      ['shop/8', true],
      ['team/shop/8@2', false],
      ['2026-01', true],
    ] as const) {
      expect(isPodRelease(release), release).to.equal(pod);
    }
    expect(isPodRelease(undefined)).to.equal(false);
  });

  it('belong to one name when no name is set', () => {
    for (const [release, name] of [
      ['shop/8@2', 'shop'],
      ['shop@2', 'shop'],
      ['team/shop/8@2', 'team/shop'],
      ['2026-01', ''],
      ['shop/8', ''],
      ['@2', ''],
    ] as const) {
      expect(releaseName(release), release).to.equal(name);
    }
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
  const hold: HeldVersion = {
    ...{
      version: '003_c',
      at: new Date('2026-01-02T03:04:05Z'),
      by: 'rb-1',
      release: 'shop/8@1',
      reason: 'it locks orders',
    },
    ...{ releases: ['shop/6@1', 'shop/7@2', 'shop/8@1', 'stock/3@5'], appliedBy: 'shop/7@2' },
  };
  const judged = (
    release: string | undefined,
    more: { versions?: string[]; reapply?: string[]; hold?: Partial<HeldVersion> } = {},
  ) => {
    const { binding, ended } = judgeHeldVersions([{ ...hold, ...more.hold }], more.versions ?? ['003_c'], {
      release,
      reapply: more.reapply ?? [],
    });
    return [...binding.map(() => 'held'), ...ended.map(({ because }) => because)].join();
  };

  it('binds known releases, their pods, and runners without a release', () => {
    for (const release of ['shop/7@2', 'shop@2', 'shop/6@1', 'shop@1', 'shop/8@1', undefined])
      expect(judged(release), String(release)).to.equal('held');
  });

  it('ends with a later release of the same name', () => {
    for (const release of ['shop/8@2', 'shop/9@1', 'shop@3']) expect(judged(release), release).to.equal('new release');
  });

  it('binds releases of other names, including unknown ones', () => {
    for (const release of ['stock/3@5', 'stock@5', 'stock/4@6', 'web@9', 'v9', 'shop'])
      expect(judged(release), release).to.equal('held');
  });

  it('belongs to the name that applied the version, else to the one that rolled it back, else to any known name, else to any name', () => {
    const cases: [Partial<HeldVersion>, string, string][] = [
      [{ appliedBy: 'stock/3@5' }, 'stock/4@6', 'new release'],
      [{ appliedBy: 'stock/3@5' }, 'shop/9@3', 'held'],
      [{ appliedBy: undefined }, 'shop/9@3', 'new release'],
      [{ appliedBy: undefined }, 'stock/4@6', 'held'],
      [{ appliedBy: undefined, release: undefined }, 'stock/4@6', 'new release'],
      [{ appliedBy: undefined, release: undefined }, 'web@9', 'held'],
      [{ appliedBy: undefined, release: undefined, releases: [] }, 'web@9', 'new release'],
      [{ appliedBy: 'v1', releases: ['v1'] }, 'v2', 'new release'],
    ];
    for (const [more, release, expected] of cases)
      expect(judged(release, { hold: more }), JSON.stringify([more, release])).to.equal(expected);
  });

  it('ends on request by a user', () => {
    expect(judged('shop@2', { reapply: ['003_c'] })).to.equal('reapply');
    expect(judged('shop@2', { reapply: ['002_b'] })).to.equal('held');
  });

  it('does not affect a release without the version, and does not end with it', () => {
    expect(judged('shop/9@1', { versions: ['002_b'] })).to.equal('');
  });

  it('without known releases binds only runners without a release', () => {
    const unknown = { releases: [], appliedBy: undefined, release: undefined };
    expect(judged(undefined, { hold: unknown })).to.equal('held');
    expect(judged('shop@1', { hold: unknown })).to.equal('new release');
  });

  it('is described by who set it, when, why, and what ends it', () => {
    expect(describeHeldVersion(hold)).to.equal(
      '003_c was rolled back by rb-1 (release shop/8@1) at 2026-01-02T03:04:05.000Z: it locks orders',
    );
    expect(describeHeldVersion({ ...hold, release: undefined, reason: undefined })).to.equal(
      '003_c was rolled back by rb-1 at 2026-01-02T03:04:05.000Z',
    );
    const error = heldVersionsError([hold, { ...hold, version: '004_d' }]);
    expect(error).to.include({ code: 'HISTORY_CONFLICT', exit: 22 });
    expect(error.summary).to.match(/^003_c, 004_d are held.*nothing was applied$/);
    expect(error.details.problems).to.have.length(2);
    expect(error.hint).to.contain('lockstep up --reapply 003_c,004_d').and.contain('lockstep repair --only');
    expect(heldVersionsError([hold]).details.version).to.equal('003_c');
  });
});
