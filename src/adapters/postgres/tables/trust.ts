/** Who besides the owner may write history and journal, or run code with the rights of those who do. */
import type { Relation } from '../state/relation.ts';
import type { ResultSet } from '../wire/simple-query.ts';
import { escapeLiteral } from '../wire/sql.ts';

/** With one of these privileges a role could plant SQL that the migrator runs later. */
const WRITING = `('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')`;

/**
 * A sentence per row. A superuser has everybody's rights, so for one the owner must be itself or another superuser:
 * whoever owns the tables could have written anything. Privileges: PostgreSQL manual, "Privileges"; policies run
 * expressions of their author as the one who reads. Of a group each member could have, but for one that may only grant
 * it (PostgreSQL 16 makes whoever creates a role such a member of it; older servers know no such options).
 */
export function distrustQuery({ schema, table, journal }: Relation): string {
  const grantee = `coalesce((SELECT 'role "' || rolname || '"' FROM pg_catalog.pg_roles WHERE oid = a.grantee), 'everybody (PUBLIC)')`;
  const foreign = `a.privilege_type IN ${WRITING} AND a.grantee <> t.relowner AND a.grantee <> me.oid`;
  const uses = ['inherit_option', 'set_option']
    .map((option) => `to_jsonb(m)->>'${option}' IS DISTINCT FROM 'false'`)
    .join(' OR ');
  return `WITH RECURSIVE t AS (SELECT c.*, pg_catalog.format('%I.%I', ${escapeLiteral(schema)}::text, c.relname) AS shown FROM pg_catalog.pg_class c
    WHERE c.oid IN (pg_catalog.to_regclass(${escapeLiteral(table)}), pg_catalog.to_regclass(${escapeLiteral(journal)}))),
  me AS (SELECT oid, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
  members AS (SELECT t.oid AS "of", m.member FROM t JOIN pg_auth_members m ON m.roleid = t.relowner WHERE ${uses}
    UNION SELECT g."of", m.member FROM members g JOIN pg_auth_members m ON m.roleid = g.member WHERE ${uses})
SELECT 1, 'role "' || o.rolname || '" owns ' || shown FROM t JOIN pg_catalog.pg_roles o ON o.oid = t.relowner, me
  WHERE o.oid <> me.oid AND NOT o.rolsuper AND (me.rolsuper OR NOT pg_catalog.pg_has_role(me.oid, o.oid, 'USAGE'))
UNION ALL SELECT 2, ${grantee} || ' may ' || pg_catalog.string_agg(a.privilege_type, ', ') || ' on ' || shown
  FROM me, t, pg_catalog.aclexplode(t.relacl) a WHERE ${foreign} GROUP BY a.grantee, shown
UNION ALL SELECT 3, ${grantee} || ' may ' || a.privilege_type || ' column ' || pg_catalog.string_agg(c.attname, ', ') || ' of ' || shown
  FROM me, t JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid, pg_catalog.aclexplode(c.attacl) a WHERE ${foreign} GROUP BY a.grantee, a.privilege_type, shown
UNION ALL SELECT 4, 'trigger "' || tgname || '" is on ' || shown FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL SELECT 5, 'rule "' || rulename || '" is on ' || shown FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
UNION ALL SELECT 6, 'row security policy "' || polname || '" is on ' || shown FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
UNION ALL SELECT 7, 'role "' || r.rolname || '" is a member of the owner of ' || shown FROM members g JOIN t ON t.oid = g."of"
  JOIN pg_roles r ON r.oid = g.member, me WHERE NOT r.rolsuper AND r.oid <> me.oid AND r.rolname <> session_user
ORDER BY 1, 2`;
}

export function readDistrust(result: ResultSet | undefined): string[] {
  return (result?.rows ?? []).map(([, sentence]) => sentence ?? '');
}
