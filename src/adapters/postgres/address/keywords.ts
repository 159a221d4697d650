/** The keywords of an address: libpq's, the variables behind them, and the ones that are refused. */

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
  /** Values that change nothing. */
  readonly harmless?: readonly string[];
  readonly why: string;
}

const GSSAPI: Refusal = { why: 'GSSAPI is not supported' };
const OAUTH: Refusal = { why: 'OAuth is not supported; write a short-lived token to the password file' };
const ONLY_PROTOCOL_3_0 = 'only protocol version 3.0 is supported';

/** libpq's keywords that are refused, unless their value is harmless. */
export const REFUSED: Readonly<Record<string, Refusal>> = {
  service: { why: 'service files are not supported; write out the address' },
  servicefile: { why: 'service files are not supported; write out the address' },
  requiressl: { harmless: ['0'], why: 'use sslmode=require' },
  sslcompression: { harmless: ['0'], why: 'compressed TLS is not supported' },
  sslcrldir: { why: 'folders of revocation lists are not supported; name one file with sslcrl' },
  sslkeylogfile: { why: 'TLS secrets are never written to a file' },
  requirepeer: { why: 'the owner of the server process cannot be checked' },
  require_auth: { why: 'not supported; channel_binding=require enforces SCRAM over TLS' },
  scram_client_key: { why: 'not supported; provide the password' },
  scram_server_key: { why: 'not supported; provide the password' },
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

/** Parameters that other tools read from the same URL; the server has no such settings. */
const FOREIGN: readonly (readonly [pattern: RegExp, why: string])[] = [
  [
    /^x-migrations-table/,
    "a golang-migrate parameter: remove it from the address, and name Lockstep's table with --table",
  ],
  [/^x-statement-timeout$/, 'a golang-migrate parameter: remove it from the address, and use --statement-timeout'],
  [/^x-/, 'a golang-migrate parameter: remove it from the address'],
  [/^schema$/, 'a Prisma parameter: write search_path=… instead'],
  [/^currentschema$/, 'a JDBC parameter: write search_path=… instead'],
  [
    /^(pgbouncer|connection_limit|pool_timeout|socket_timeout|sslaccept|sslidentity)$/,
    'a Prisma parameter: remove it from the address',
  ],
  [/^(pool|statement_cache|description_cache)_\w+$/, 'a pgx or Prisma parameter: remove it from the address'],
  [/^default_query_exec_mode$/, 'a pgx parameter: remove it from the address'],
  [
    /^uselibpqcompat$/,
    'a node-postgres parameter: remove it from the address; sslmode always has the meaning it has in libpq',
  ],
];

/** Why another tool's parameter is refused; undefined for anything else. */
export function foreignParameter(name: string): string | undefined {
  return FOREIGN.find(([pattern]) => pattern.test(name.toLowerCase()))?.[1];
}
