/** Which settings say how a run is reported, and as whose? */
import { DATABASE, RUNNING, ALL, type OptionEntry } from './entry.ts';

export const REPORT_OPTIONS = {
  json: {
    type: 'boolean',
    group: 'Output',
    commands: [...DATABASE, 'validate'],
    help: 'Print one JSON document on stdout.',
  },
  verbose: {
    type: 'boolean',
    group: 'Output',
    commands: ['up', 'down'],
    help: 'Print each skipped migration, not only how many; on a terminal, also each step, and the lock key.',
  },
  logFormat: {
    type: 'choice',
    choices: ['text', 'json'],
    group: 'Output',
    commands: ALL,
    help: 'How the log on stderr looks.',
    defaultHelp: 'text on a terminal and with CI=true, else json',
  },
  logLevel: {
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    group: 'Output',
    commands: ALL,
    help: 'The least level that is logged.',
  },
  color: {
    type: 'choice',
    choices: ['auto', 'always', 'never'],
    default: 'auto',
    group: 'Output',
    commands: ALL,
    help: 'Color in text: "auto" is on a terminal, unless NO_COLOR or FORCE_COLOR says otherwise.',
  },

  release: {
    type: 'text',
    group: 'Identity',
    commands: DATABASE,
    help: 'The release this run belongs to; kept in the journal.',
  },
  pod: {
    type: 'text',
    group: 'Identity',
    commands: DATABASE,
    help: 'The name of this runner, shown to those who wait.',
    defaultHelp: "the address's application_name, else the host name",
  },
  image: {
    type: 'text',
    group: 'Identity',
    commands: DATABASE,
    help: 'The image this run comes from; kept in the journal.',
  },

  events: {
    type: 'choice',
    choices: ['auto', 'on', 'off'],
    default: 'auto',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'Send Kubernetes Events: where there is a cluster and a token; "on" warns where there is none.',
  },
  podNamespace: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The namespace of the pod (metadata.namespace); Events are made there.',
    defaultHelp: "the service account's namespace",
  },
  podUid: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The uid of the pod (metadata.uid); without it, kubectl describe does not show its Events.',
  },
  container: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The name of the container that Lockstep runs in.',
  },
  initContainer: {
    type: 'boolean',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'That container is an init container.',
  },
  job: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: "The name of the Job (the pod's label batch.kubernetes.io/job-name): Events are about it instead of the pod.",
  },
  jobUid: {
    type: 'text',
    group: 'Kubernetes',
    commands: RUNNING,
    help: "The uid of the Job (the pod's label batch.kubernetes.io/controller-uid).",
  },
  serviceAccountDir: {
    type: 'text',
    default: '/var/run/secrets/kubernetes.io/serviceaccount',
    group: 'Kubernetes',
    commands: RUNNING,
    help: 'The folder with token, ca.crt and namespace of a service account that may create Events; read again for each Event.',
  },
  terminationLog: {
    type: 'text',
    group: 'Kubernetes',
    commands: ALL,
    help: 'The file for the termination message: one JSON object of at most 4096 bytes.',
    defaultHelp: '/dev/termination-log, if it is there',
  },
} as const satisfies Record<string, OptionEntry>;
