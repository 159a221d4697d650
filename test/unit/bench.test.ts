/** How the bench evaluates and prints its figures. */
import { expect } from 'chai';

import { median, medianOf, quantile } from '../../bench/figures.ts';
import { isMet } from '../../bench/goals/goal.ts';
import { readOptions } from '../../bench/options.ts';
import { chart } from '../../bench/report/chart.ts';
import { replaceFigures } from '../../bench/report/docs.ts';
import { resultText } from '../../bench/report/text.ts';

describe('figures of the bench', () => {
  it('are medians and percentiles', () => {
    expect(median([30, 10, 20])).to.equal(20);
    expect(median([10, 9, 100, 11])).to.equal(10.5);
    expect(quantile([1, 2, 3, 4, 5], 0.25)).to.equal(2);
    expect(medianOf([1, undefined, 3])).to.equal(undefined);
    expect(() => median([])).to.throw('no figures');
  });

  it('are checked against a bound', () => {
    expect(isMet({ what: '', measured: 1.3, bound: 1.3 })).to.equal(true);
    expect(isMet({ what: '', measured: 1.31, bound: 1.3 })).to.equal(false);
    expect(isMet({ what: '', measured: 2.9, bound: 3, atLeast: true })).to.equal(false);
    expect(isMet({ what: '', measured: undefined, bound: 3 })).to.equal(undefined);
  });

  it('are printed as tables', () => {
    const text = resultText({
      tables: [
        {
          title: 'Runs',
          columns: ['', 'wall, ms'],
          rows: [
            ['ours', 12.345],
            ['theirs', undefined],
          ],
        },
      ],
      checks: [{ what: 'a wait', measured: 99.6, unit: 'ms', bound: 100 }],
      notes: ['Nothing else.'],
    });
    expect(text.split('\n')).to.deep.equal([
      'Runs:',
      '',
      '|        | wall, ms |',
      '|--------|---------:|',
      '| ours   |     12.3 |',
      '| theirs |        – |',
      '',
      '| goal   | measured | bound    | met |',
      '|--------|----------|----------|-----|',
      '| a wait | 99.6 ms  | ≤ 100 ms | yes |',
      '',
      'Nothing else.',
    ]);
  });

  it('are drawn as bars of proportional length', () => {
    const svg = chart('Time', [
      { name: 'ours', ms: 50, kind: 'ours' },
      { name: 'theirs', ms: 100, kind: 'other' },
    ]);
    const [short, long] = [...svg.matchAll(/<rect .*?width="([\d.]+)".*?class="(\w+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(long! / short!).to.equal(2);
    expect(svg).to.include('aria-label="Time: ours 50 ms, theirs 100 ms"');
  });

  it('replace their section in the docs', () => {
    const page =
      'before\n<!-- generated: figures (npm run bench -- --write-docs) -->\nold\n<!-- end of figures -->\nafter\n';
    const written = replaceFigures(page, 'new');
    expect(written).to.include('-->\n\nnew\n\n<!--').and.to.not.include('old');
    expect(replaceFigures(written, 'new')).to.equal(written);
    expect(() => replaceFigures('no markers', 'new')).to.throw('has no place for the figures');
  });
});

describe('options of the bench', () => {
  const read = (...words: string[]): ReturnType<typeof readOptions> =>
    readOptions(words, ['queue', 'many-files'], ['knex']);

  it('are parsed', () => {
    expect(read()).to.include({ only: undefined, peers: undefined, repeat: 15, writeDocs: false });
    expect(read('--only', 'queue', '--peers', 'none', '--repeat', '3')).to.deep.include({
      only: ['queue'],
      peers: [],
      repeat: 3,
    });
  });

  it('are refused when invalid', () => {
    expect(() => read('--only', 'cue')).to.throw('--only cue: one or more of queue, many-files are expected');
    expect(() => read('--repeat', '0')).to.throw('--repeat 0');
    expect(() => read('--write-docs', '--peers', 'none')).to.throw('--write-docs writes all figures');
    expect(() => read('--fast')).to.throw();
  });
});
