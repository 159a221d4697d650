/** The queries about everything else than relations: types, routines, text search, and what a database has besides. */
import type { CatalogQuery } from './fragments.ts';
import { comment, grants, isOwnThing, isUsersSchema, object, part, qualifiedName, role, unless } from './fragments.ts';

/** In a schema that is not PostgreSQL's own, and of no extension. */
function inSchemas(catalog: string, alias: string, schema: string, join = ''): string {
  return (
    `FROM ${catalog} ${alias} JOIN pg_namespace n ON n.oid = ${alias}.${schema} AND ${isUsersSchema('n.nspname')} ${join}` +
    ` WHERE ${isOwnThing(catalog, `${alias}.oid`)}`
  );
}

/** Made after initdb, and of no extension. PostgreSQL's own oids end before 16384 (manual, "System Catalog Initial Data"). */
function madeLater(catalog: string, alias: string): string {
  return `FROM ${catalog} ${alias} WHERE ${alias}.oid >= 16384 AND ${isOwnThing(catalog, `${alias}.oid`)}`;
}

function identity(catalog: string, oid: string): string {
  return `(SELECT identity FROM pg_identify_object('${catalog}'::regclass, ${oid}, 0))`;
}

const SCHEMA = object(`'schema'`, 'quote_ident(n.nspname)', {
  // As initdb makes it: its owner has changed with PostgreSQL 15.
  owner: unless(
    `n.nspname = 'public' AND n.nspowner = coalesce((SELECT oid FROM pg_roles WHERE rolname = 'pg_database_owner' AND current_setting('server_version_num')::int >= 150000), 10)`,
    role('n.nspowner'),
  ),
  grants: grants(
    'n.nspacl',
    `coalesce((SELECT initprivs FROM pg_init_privs WHERE classoid = 'pg_namespace'::regclass AND objoid = n.oid AND privtype = 'i'), acldefault('n', n.nspowner))`,
  ),
  comment: unless(
    `n.nspname = 'public' AND ${comment('n.oid', 'pg_namespace')} = 'standard public schema'`,
    comment('n.oid', 'pg_namespace'),
  ),
});

const TYPE = object(`'type'`, qualifiedName('n.nspname', 't.typname'), {
  is: `CASE WHEN NOT t.typisdefined THEN 'shell' ELSE CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range' ELSE 'base' END END`,
  owner: role('t.typowner'),
  values: `(SELECT string_agg(quote_literal(enumlabel), E'\\n' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)`,
  over: unless(
    `t.typtype <> 'd'`,
    `concat_ws(' ', format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typcollation <> (SELECT typcollation FROM pg_type WHERE oid = t.typbasetype) THEN 'collate ' || ${identity('pg_collation', 't.typcollation')} END, CASE WHEN t.typnotnull THEN 'not null' END)`,
  ),
  default: unless(`t.typtype <> 'd'`, 't.typdefault'),
  range: `(SELECT concat_ws(', ', format_type(rngsubtype, NULL), CASE WHEN rngcollation <> 0 THEN 'collate ' || ${identity('pg_collation', 'rngcollation')} END, ${identity('pg_opclass', 'rngsubopc')}, CASE WHEN rngcanonical <> 0 THEN 'canonical ' || rngcanonical::text END, CASE WHEN rngsubdiff <> 0 THEN 'difference ' || rngsubdiff::text END) FROM pg_range WHERE rngtypid = t.oid)`,
  functions: unless(
    `t.typtype <> 'b'`,
    `concat_ws(', ', t.typinput::text, t.typoutput::text, nullif(t.typreceive::text, '-'), nullif(t.typsend::text, '-'), nullif(t.typmodin::text, '-'), nullif(t.typmodout::text, '-'), nullif(t.typanalyze::text, '-'), 'length ' || t.typlen, 'align ' || t.typalign::text, 'storage ' || t.typstorage::text, 'category ' || t.typcategory::text, CASE WHEN t.typispreferred THEN 'preferred' END, CASE WHEN t.typbyval THEN 'by value' END)`,
  ),
  grants: grants('t.typacl', `acldefault('T', t.typowner)`),
  comment: comment('t.oid', 'pg_type'),
});

const DOMAIN_CHECK = part(
  `'type'`,
  qualifiedName('n.nspname', 't.typname'),
  { part: 'constraint', name: 'k.conname', is: 'pg_get_constraintdef(k.oid)' },
  { comment: comment('k.oid', 'pg_constraint') },
);

const ROUTINE = object(
  `CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END`,
  'p.oid::regprocedure::text',
  {
    owner: role('p.proowner'),
    // A body of SQL that was parsed when it was made is deparsed; any other is kept as it was written.
    source: unless(
      `p.prokind = 'a' OR p.prosqlbody IS NOT NULL`,
      `rtrim(pg_get_functiondef(CASE WHEN p.prokind <> 'a' THEN p.oid END), E'\\n')`,
    ),
    definition: unless(
      `p.prokind = 'a' OR p.prosqlbody IS NULL`,
      `rtrim(pg_get_functiondef(CASE WHEN p.prokind <> 'a' THEN p.oid END), E'\\n')`,
    ),
    aggregates: `(SELECT concat_ws(', ', pg_get_function_result(p.oid), 'kind ' || aggkind::text, 'state ' || format_type(aggtranstype, NULL), 'transition ' || aggtransfn::text, 'final ' || nullif(aggfinalfn::text, '-'), 'combine ' || nullif(aggcombinefn::text, '-'), 'serial ' || nullif(aggserialfn::text, '-'), 'deserial ' || nullif(aggdeserialfn::text, '-'), 'moving ' || nullif(aggmtransfn::text, '-'), 'inverse ' || nullif(aggminvtransfn::text, '-'), 'moving final ' || nullif(aggmfinalfn::text, '-'), 'initial ' || agginitval, 'sort ' || nullif(aggsortop::regoperator::text, '0'), 'modify ' || aggfinalmodify::text, 'parallel ' || p.proparallel::text) FROM pg_aggregate WHERE aggfnoid = p.oid)`,
    grants: grants('p.proacl', `acldefault('f', p.proowner)`),
    comment: comment('p.oid', 'pg_proc'),
  },
);

const COLLATION = object(`'collation'`, qualifiedName('n.nspname', 'x.collname'), {
  // Its columns have changed their names with PostgreSQL 15 and 17.
  is: `concat_ws(', ', 'provider ' || x.collprovider::text, 'locale ' || coalesce(j.row->>'colllocale', j.row->>'colliculocale', x.collcollate), 'ctype ' || x.collctype, 'rules ' || (j.row->>'collicurules'), CASE WHEN NOT x.collisdeterministic THEN 'not deterministic' END)`,
  owner: role('x.collowner'),
  comment: comment('x.oid', 'pg_collation'),
});

const CAST = object(`'cast'`, identity('pg_cast', 'x.oid'), {
  is: `concat_ws(' ', CASE x.castmethod WHEN 'f' THEN 'with ' || x.castfunc::regprocedure::text WHEN 'i' THEN 'with inout' ELSE 'without function' END, CASE x.castcontext WHEN 'a' THEN 'as assignment' WHEN 'i' THEN 'as implicit' END)`,
  comment: comment('x.oid', 'pg_cast'),
});

const OPERATOR = object(`'operator'`, identity('pg_operator', 'x.oid'), {
  is: `concat_ws(', ', x.oprcode::text, 'returns ' || format_type(x.oprresult, NULL), 'commutator ' || ${identity('pg_operator', 'nullif(x.oprcom, 0)')}, 'negator ' || ${identity('pg_operator', 'nullif(x.oprnegate, 0)')}, 'restrict ' || nullif(x.oprrest::text, '-'), 'join ' || nullif(x.oprjoin::text, '-'), CASE WHEN x.oprcanmerge THEN 'merges' END, CASE WHEN x.oprcanhash THEN 'hashes' END)`,
  owner: role('x.oprowner'),
  comment: comment('x.oid', 'pg_operator'),
});

const OPERATOR_CLASS = object(`'operator class'`, identity('pg_opclass', 'x.oid'), {
  is: `concat_ws(', ', 'family ' || ${identity('pg_opfamily', 'x.opcfamily')}, 'for ' || format_type(x.opcintype, NULL), CASE WHEN x.opcdefault THEN 'default' END, CASE WHEN x.opckeytype <> 0 THEN 'storage ' || format_type(x.opckeytype, NULL) END)`,
  owner: role('x.opcowner'),
  comment: comment('x.oid', 'pg_opclass'),
});

const OPERATOR_FAMILY = object(`'operator family'`, identity('pg_opfamily', 'x.oid'), {
  operators: `(SELECT string_agg(amopstrategy || ' ' || amopopr::regoperator::text, E'\\n' ORDER BY amopstrategy, amopopr::regoperator::text COLLATE "C") FROM pg_amop WHERE amopfamily = x.oid)`,
  functions: `(SELECT string_agg(amprocnum || ' ' || amproc::regprocedure::text, E'\\n' ORDER BY amprocnum, amproc::regprocedure::text COLLATE "C") FROM pg_amproc WHERE amprocfamily = x.oid)`,
  owner: role('x.opfowner'),
  comment: comment('x.oid', 'pg_opfamily'),
});

const SEARCH_CONFIGURATION = object(`'text search configuration'`, qualifiedName('n.nspname', 'x.cfgname'), {
  owner: role('x.cfgowner'),
  parser: identity('pg_ts_parser', 'x.cfgparser'),
  mappings: `(SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C") FROM (SELECT alias || ': ' || string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno) AS line FROM pg_ts_config_map m JOIN ts_token_type(x.cfgparser) k ON k.tokid = m.maptokentype WHERE m.mapcfg = x.oid GROUP BY alias) l)`,
  comment: comment('x.oid', 'pg_ts_config'),
});

const SEARCH_DICTIONARY = object(`'text search dictionary'`, qualifiedName('n.nspname', 'x.dictname'), {
  owner: role('x.dictowner'),
  is: `concat_ws(' ', ${identity('pg_ts_template', 'x.dicttemplate')}, x.dictinitoption)`,
  comment: comment('x.oid', 'pg_ts_dict'),
});

const SEARCH_PARSER = object(`'text search parser'`, qualifiedName('n.nspname', 'x.prsname'), {
  is: `concat_ws(', ', x.prsstart::text, x.prstoken::text, x.prsend::text, x.prsheadline::text, x.prslextype::text)`,
  comment: comment('x.oid', 'pg_ts_parser'),
});

const SEARCH_TEMPLATE = object(`'text search template'`, qualifiedName('n.nspname', 'x.tmplname'), {
  is: `concat_ws(', ', x.tmplinit::text, x.tmpllexize::text)`,
  comment: comment('x.oid', 'pg_ts_template'),
});

const CONVERSION = object(`'conversion'`, qualifiedName('n.nspname', 'x.conname'), {
  is: `concat_ws(' ', x.conproc::text, pg_encoding_to_char(x.conforencoding), pg_encoding_to_char(x.contoencoding), CASE WHEN x.condefault THEN 'default' END)`,
  owner: role('x.conowner'),
  comment: comment('x.oid', 'pg_conversion'),
});

const EXTENSION = object(`'extension'`, 'quote_ident(x.extname)', {
  version: 'x.extversion',
  schema: `(SELECT quote_ident(nspname) FROM pg_namespace WHERE oid = x.extnamespace)`,
  comment: unless(
    `${comment('x.oid', 'pg_extension')} = (SELECT comment FROM pg_available_extensions WHERE name = x.extname)`,
    comment('x.oid', 'pg_extension'),
  ),
});

const LANGUAGE = object(`'language'`, 'quote_ident(x.lanname)', {
  owner: role('x.lanowner'),
  trusted: `CASE WHEN x.lanpltrusted THEN 'yes' END`,
  grants: grants('x.lanacl', `acldefault('l', x.lanowner)`),
  comment: comment('x.oid', 'pg_language'),
});

const ACCESS_METHOD = object(`'access method'`, 'quote_ident(x.amname)', {
  is: `concat_ws(' ', x.amtype, x.amhandler::text)`,
  comment: comment('x.oid', 'pg_am'),
});

const TRANSFORM = object(`'transform'`, identity('pg_transform', 'x.oid'), {
  is: `concat_ws(', ', x.trffromsql::text, x.trftosql::text)`,
});

const WRAPPER = object(`'foreign-data wrapper'`, 'quote_ident(x.fdwname)', {
  owner: role('x.fdwowner'),
  functions: `nullif(concat_ws(', ', nullif(x.fdwhandler::regproc::text, '-'), nullif(x.fdwvalidator::regproc::text, '-')), '')`,
  'names of options': `(SELECT string_agg(option_name, ', ' ORDER BY option_name COLLATE "C") FROM pg_options_to_table(x.fdwoptions))`,
  grants: grants('x.fdwacl', `acldefault('F', x.fdwowner)`),
  comment: comment('x.oid', 'pg_foreign_data_wrapper'),
});

const SERVER = object(`'server'`, 'quote_ident(x.srvname)', {
  owner: role('x.srvowner'),
  is: `concat_ws(' ', (SELECT quote_ident(fdwname) FROM pg_foreign_data_wrapper WHERE oid = x.srvfdw), 'type ' || x.srvtype, 'version ' || x.srvversion)`,
  'names of options': `(SELECT string_agg(option_name, ', ' ORDER BY option_name COLLATE "C") FROM pg_options_to_table(x.srvoptions))`,
  grants: grants('x.srvacl', `acldefault('S', x.srvowner)`),
  comment: comment('x.oid', 'pg_foreign_server'),
});

const EVENT_TRIGGER = object(`'event trigger'`, 'quote_ident(x.evtname)', {
  owner: role('x.evtowner'),
  is: `concat_ws(' ', 'on', x.evtevent, 'execute', x.evtfoid::regprocedure::text)`,
  tags: `array_to_string(x.evttags, ', ')`,
  enabled: unless(
    `x.evtenabled = 'O'`,
    `CASE x.evtenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' ELSE 'always' END`,
  ),
  comment: comment('x.oid', 'pg_event_trigger'),
});

/** Columns of `r` that PostgreSQL 15 has brought are read from the row as JSON. */
const PUBLISHED_TABLES = `(SELECT string_agg(concat_ws(' ', r.prrelid::regclass::text,
  '(' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum::text = ANY (string_to_array(j.row->>'prattrs', ' '))) || ')',
  'where ' || pg_get_expr((j.row->>'prqual')::pg_node_tree, r.prrelid)), E'\\n' ORDER BY r.prrelid::regclass::text COLLATE "C")
  FROM pg_publication_rel r CROSS JOIN LATERAL (SELECT to_jsonb(r) AS row) j WHERE r.prpubid = x.oid)`;

const PUBLICATION = (version: number): string =>
  object(`'publication'`, 'quote_ident(x.pubname)', {
    owner: role('x.pubowner'),
    publishes: `concat_ws(', ', CASE WHEN x.puballtables THEN 'all tables' END, CASE WHEN x.pubinsert THEN 'insert' END, CASE WHEN x.pubupdate THEN 'update' END, CASE WHEN x.pubdelete THEN 'delete' END, CASE WHEN x.pubtruncate THEN 'truncate' END, CASE WHEN x.pubviaroot THEN 'via root' END)`,
    tables: PUBLISHED_TABLES,
    ...(version >= 150_000 && {
      schemas: `(SELECT string_agg(quote_ident(s.nspname), ', ' ORDER BY s.nspname COLLATE "C") FROM pg_publication_namespace m JOIN pg_namespace s ON s.oid = m.pnnspid WHERE m.pnpubid = x.oid)`,
    }),
    comment: comment('x.oid', 'pg_publication'),
  });

const SUBSCRIPTION = object(`'subscription'`, 'quote_ident(x.subname)', {});

const DEFAULT_KIND = `CASE x.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END`;
const DEFAULT_PRIVILEGES = object(
  `'default privileges'`,
  `concat_ws(' ', 'of', ${role('x.defaclrole')}, 'on', ${DEFAULT_KIND}, 'in ' || (SELECT quote_ident(nspname) FROM pg_namespace WHERE oid = x.defaclnamespace))`,
  {
    grants: grants(
      'x.defaclacl',
      `CASE WHEN x.defaclnamespace = 0 THEN acldefault(CASE x.defaclobjtype WHEN 'S' THEN 's' ELSE x.defaclobjtype END::"char", x.defaclrole) END`,
    ),
  },
);

const SETTINGS = object(
  `'settings'`,
  `concat_ws(' ', 'of', CASE WHEN x.setrole = 0 THEN 'every role' ELSE ${role('x.setrole')} END)`,
  { settings: `(SELECT string_agg(o, E'\\n' ORDER BY o COLLATE "C") FROM unnest(x.setconfig) o)` },
);

/** Also an array type, and the row type of a table, are types; but only as part of something else. */
const IS_OWN_TYPE = `NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) AND t.typtype <> 'm' AND (t.typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')`;

export function otherQueries(version: number): readonly CatalogQuery[] {
  return [
    {
      kinds: ['schema'],
      sql: `${SCHEMA} FROM pg_namespace n WHERE ${isUsersSchema('n.nspname')} AND ${isOwnThing('pg_namespace', 'n.oid')}`,
    },
    { kinds: ['type'], sql: `${TYPE} ${inSchemas('pg_type', 't', 'typnamespace')} AND ${IS_OWN_TYPE}` },
    {
      kinds: ['constraint'],
      sql: `${DOMAIN_CHECK} ${inSchemas('pg_type', 't', 'typnamespace', `JOIN pg_constraint k ON k.contypid = t.oid AND k.contype <> 'n'`)}`,
    },
    { kinds: ['function', 'procedure', 'aggregate'], sql: `${ROUTINE} ${inSchemas('pg_proc', 'p', 'pronamespace')}` },
    {
      kinds: ['collation'],
      sql: `${COLLATION} ${inSchemas('pg_collation', 'x', 'collnamespace', 'CROSS JOIN LATERAL (SELECT to_jsonb(x) AS row) j')}`,
    },
    { kinds: ['cast'], sql: `${CAST} ${madeLater('pg_cast', 'x')}` },
    { kinds: ['operator'], sql: `${OPERATOR} ${inSchemas('pg_operator', 'x', 'oprnamespace')}` },
    { kinds: ['operator class'], sql: `${OPERATOR_CLASS} ${inSchemas('pg_opclass', 'x', 'opcnamespace')}` },
    { kinds: ['operator family'], sql: `${OPERATOR_FAMILY} ${inSchemas('pg_opfamily', 'x', 'opfnamespace')}` },
    {
      kinds: ['text search configuration'],
      sql: `${SEARCH_CONFIGURATION} ${inSchemas('pg_ts_config', 'x', 'cfgnamespace')}`,
    },
    { kinds: ['text search dictionary'], sql: `${SEARCH_DICTIONARY} ${inSchemas('pg_ts_dict', 'x', 'dictnamespace')}` },
    { kinds: ['text search parser'], sql: `${SEARCH_PARSER} ${inSchemas('pg_ts_parser', 'x', 'prsnamespace')}` },
    { kinds: ['text search template'], sql: `${SEARCH_TEMPLATE} ${inSchemas('pg_ts_template', 'x', 'tmplnamespace')}` },
    { kinds: ['conversion'], sql: `${CONVERSION} ${inSchemas('pg_conversion', 'x', 'connamespace')}` },
    { kinds: ['extension'], sql: `${EXTENSION} FROM pg_extension x WHERE x.extname <> 'plpgsql'` },
    { kinds: ['language'], sql: `${LANGUAGE} ${madeLater('pg_language', 'x')}` },
    { kinds: ['access method'], sql: `${ACCESS_METHOD} ${madeLater('pg_am', 'x')}` },
    { kinds: ['transform'], sql: `${TRANSFORM} ${madeLater('pg_transform', 'x')}` },
    { kinds: ['foreign-data wrapper'], sql: `${WRAPPER} ${madeLater('pg_foreign_data_wrapper', 'x')}` },
    { kinds: ['server'], sql: `${SERVER} ${madeLater('pg_foreign_server', 'x')}` },
    { kinds: ['event trigger'], sql: `${EVENT_TRIGGER} ${madeLater('pg_event_trigger', 'x')}` },
    { kinds: ['publication'], sql: `${PUBLICATION(version)} FROM pg_publication x` },
    { kinds: ['subscription'], sql: `${SUBSCRIPTION} FROM pg_subscription x WHERE x.subdbid = ${THIS_DATABASE}` },
    {
      kinds: ['default privileges'],
      sql: `${DEFAULT_PRIVILEGES} FROM pg_default_acl x WHERE ${isOwnThing('pg_default_acl', 'x.oid')}`,
    },
    { kinds: ['settings'], sql: `${SETTINGS} FROM pg_db_role_setting x WHERE x.setdatabase = ${THIS_DATABASE}` },
  ];
}

const THIS_DATABASE = '(SELECT oid FROM pg_database WHERE datname = current_database())';
