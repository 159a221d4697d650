// Runs before 005_require_customer_email.up.sql, on connections of its own: brings every e-mail address into one form.
// In batches, so that no row is locked for long while the old version of the shop still runs; safe to run twice.

const batchSize = 2000;

export default async function normaliseEmails({ pool, log, signal }) {
  let done = 0;
  for (;;) {
    signal.throwIfAborted();
    const { rowCount } = await pool.query(
      `UPDATE customers
       SET email = coalesce(nullif(lower(btrim(email)), ''), 'unknown-' || id || '@example.invalid')
       WHERE id IN (
         SELECT id FROM customers
         WHERE email IS DISTINCT FROM lower(btrim(email)) OR email IS NULL OR email = ''
         ORDER BY id
         LIMIT $1
       )`,
      [batchSize],
    );
    if (rowCount === 0) break;
    done += rowCount;
    log(`${done} e-mail addresses normalised`);
  }
}
