/** Which keywords an address may have, where else their values come from, and which cannot be honoured. */

/** libpq's keywords and the variables that fill them in (PostgreSQL manual, "Environment Variables"). */
export const VARIABLES: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  client_encoding: 'PGCLIENTENCODING',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslcrl: 'PGSSLCRL',
  sslcertmode: 'PGSSLCERTMODE',
  sslsni: 'PGSSLSNI',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  channel_binding: 'PGCHANNELBINDING',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
  service: 'PGSERVICE',
  sslcrldir: 'PGSSLCRLDIR',
  sslcompression: 'PGSSLCOMPRESSION',
  requiressl: 'PGREQUIRESSL',
  requirepeer: 'PGREQUIREPEER',
  require_auth: 'PGREQUIREAUTH',
  gssencmode: 'PGGSSENCMODE',
  gssdelegation: 'PGGSSDELEGATION',
  gsslib: 'PGGSSLIB',
  krbsrvname: 'PGKRBSRVNAME',
  min_protocol_version: 'PGMINPROTOCOLVERSION',
  max_protocol_version: 'PGMAXPROTOCOLVERSION',
};

/** Variables that libpq turns into server settings, unless they say `default`. */
export const SETTING_VARIABLES: Readonly<Record<string, string>> = {
  PGTZ: 'timezone',
  PGDATESTYLE: 'datestyle',
  PGGEQO: 'geqo',
};

interface Refusal {
  /** Values that ask for nothing special. */
  readonly harmless?: readonly string[];
  readonly why: string;
}

const GSSAPI: Refusal = { why: 'GSSAPI is not supported' };
const OAUTH: Refusal = { why: 'OAuth is not supported; put a short-lived token into the password file' };
const ONLY_PROTOCOL_3_0 = 'only protocol version 3.0 is spoken';

/** libpq's keywords that are refused, unless their value is harmless. */
export const REFUSED: Readonly<Record<string, Refusal>> = {
  service: { why: 'service files are not read; write the address out' },
  servicefile: { why: 'service files are not read; write the address out' },
  requiressl: { harmless: ['0'], why: 'use sslmode=require' },
  sslcompression: { harmless: ['0'], why: 'compressed TLS is not supported' },
  sslcrldir: { why: 'folders of revocation lists are not read; name one file with sslcrl' },
  sslkeylogfile: { why: 'TLS secrets are never written to a file' },
  requirepeer: { why: 'the owner of the server process cannot be checked' },
  require_auth: { why: 'it is not supported; channel_binding=require demands SCRAM over TLS' },
  scram_client_key: { why: 'it is not supported; give the password' },
  scram_server_key: { why: 'it is not supported; give the password' },
  gssencmode: { harmless: ['disable', 'prefer'], why: GSSAPI.why },
  gssdelegation: { harmless: ['0'], why: GSSAPI.why },
  gsslib: GSSAPI,
  krbsrvname: GSSAPI,
  oauth_issuer: OAUTH,
  oauth_client_id: OAUTH,
  oauth_client_secret: OAUTH,
  oauth_scope: OAUTH,
  replication: { harmless: ['false', 'off', 'no', '0'], why: 'migrations need an ordinary session' },
  min_protocol_version: { harmless: ['3.0'], why: ONLY_PROTOCOL_3_0 },
  max_protocol_version: { harmless: ['3.0', '3.2', 'latest'], why: ONLY_PROTOCOL_3_0 },
  client_encoding: {
    harmless: ['utf8', 'utf-8', 'unicode', 'auto'],
    why: 'migration files are UTF-8; only UTF8 is possible',
  },
  ssl: { why: 'use sslmode' },
};

/** Parameters that other tools put into the same URL; the server has no setting of that name. */
const FOREIGN: readonly (readonly [pattern: RegExp, why: string])[] = [
  [
    /^x-migrations-table/,
    "a parameter of golang-migrate: take it out of the address, and name Lockstep's table with --table",
  ],
  [/^x-statement-timeout$/, 'a parameter of golang-migrate: take it out of the address, and use --statement-timeout'],
  [/^x-/, 'a parameter of golang-migrate: take it out of the address'],
  [/^schema$/, 'a parameter of Prisma: write search_path=… instead'],
  [/^currentschema$/, 'a parameter of JDBC: write search_path=… instead'],
  [
    /^(pgbouncer|connection_limit|pool_timeout|socket_timeout|sslaccept|sslidentity)$/,
    'a parameter of Prisma: take it out of the address',
  ],
  [/^(pool|statement_cache|description_cache)_\w+$/, 'a parameter of pgx or Prisma: take it out of the address'],
  [/^default_query_exec_mode$/, 'a parameter of pgx: take it out of the address'],
  [
    /^uselibpqcompat$/,
    'a parameter of node-postgres: take it out of the address; sslmode means what it means in libpq anyway',
  ],
];

/** Why another tool's parameter can't stay; undefined for anything else. */
export function foreignParameter(name: string): string | undefined {
  return FOREIGN.find(([pattern]) => pattern.test(name.toLowerCase()))?.[1];
}
