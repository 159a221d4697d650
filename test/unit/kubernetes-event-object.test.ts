import { expect } from 'chai';
import fc from 'fast-check';

import { eventObject, type Place } from '../../src/adapters/kubernetes/event-object.ts';

const content = { reason: 'MigrationStarted', note: 'Applying 1 migration: 1_a' } as const;
const moment = { now: Date.UTC(2024, 4, 6, 7, 8, 9, 10), random: 0.5 };
const pod: Place = { namespace: 'shop', pod: 'web-1', podUid: 'u-1', container: 'migrate', initContainer: true };

describe('the Event object', () => {
  it('regards the container of the pod', () => {
    expect(eventObject(content, 'up', pod, moment)).to.deep.equal({
      metadata: { name: 'web-1.17ccd493b69f71a0', namespace: 'shop' },
      eventTime: new Date(moment.now),
      type: 'Normal',
      reason: 'MigrationStarted',
      action: 'Migrate',
      note: content.note,
      reportingController: 'lockstep',
      reportingInstance: 'web-1',
      regarding: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: 'shop',
        name: 'web-1',
        uid: 'u-1',
        fieldPath: 'spec.initContainers{migrate}',
      },
    });
  });

  it('regards the Job, with the pod as related object', () => {
    const { regarding, related, action, metadata } = eventObject(
      content,
      'down',
      { ...pod, initContainer: false, job: 'shop-migrate', jobUid: 'u-2' },
      moment,
    );
    expect(regarding).to.deep.equal({
      apiVersion: 'batch/v1',
      kind: 'Job',
      namespace: 'shop',
      name: 'shop-migrate',
      uid: 'u-2',
    });
    expect(related).to.deep.include({ kind: 'Pod', uid: 'u-1', fieldPath: 'spec.containers{migrate}' });
    expect(action).to.equal('Rollback');
    expect(metadata.name).to.match(/^shop-migrate\.[0-9a-f]{16}$/);
  });

  it('omits unknown fields', () => {
    const { regarding } = eventObject(content, 'up', { namespace: 'shop', pod: 'web-1', initContainer: false }, moment);
    expect(regarding).to.deep.equal({ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-1' });
  });

  it('has a new valid name each time, for any host name', () => {
    const anyName = fc.oneof(
      fc.string({ minLength: 1, maxLength: 300 }),
      fc.constant('a'.repeat(400)),
      fc.constant('A..b.-.C-'),
      fc.constant(`${'b'.repeat(235)}-.-${'c'.repeat(100)}`),
    );
    fc.assert(
      fc.property(
        anyName,
        fc.nat({ max: 2 ** 40 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (name, now, random) => {
          const { metadata, reportingInstance } = eventObject(content, 'up', { ...pod, pod: name }, { now, random });
          expect(metadata.name)
            .to.match(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/)
            .and.to.have.length.at.most(253);
          expect(Buffer.byteLength(reportingInstance)).to.be.at.most(128);
          expect(
            eventObject(content, 'up', { ...pod, pod: name }, { now: now + 1, random }).metadata.name,
          ).to.not.equal(metadata.name);
        },
      ),
    );
  });
});
