/** Answers: what is in the bundle, for programs that look for known vulnerabilities? A CycloneDX 1.6 document. */
import { WASM_PARTS, type BundledPackage, type Part } from './licenses.ts';

/** Scanners of images read it, as its name ends in `.cdx.json`: they find no packages in a bundle by themselves. */
export const SBOM = 'lockstep.cdx.json';

/** The same code always gives the same text: no time, no random serial number. */
export function sbom(version: string, packages: readonly BundledPackage[], linkedParts: readonly Part[] = []): string {
  const bundled = new Map(packages.map((found) => [purl(found.name, found.version), found]));
  const components = [...bundled].map(([id, { name, version, license }]) => ({
    type: 'library',
    'bom-ref': id,
    name,
    version,
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    purl: id,
  }));
  const parser = components.find(({ name }) => name === 'libpg-query');
  if (!parser) throw new Error('the bundle has no libpg-query, whose WebAssembly is beside it');
  const parts = componentsOf(WASM_PARTS, 'libpg-query.wasm');
  const linked = componentsOf(linkedParts, 'executable');
  const self = purl('lockstep', version);
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': self,
        name: 'lockstep',
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
        purl: self,
      },
    },
    components: [...components, ...parts, ...linked],
    dependencies: [
      { ref: self, dependsOn: [...components, ...linked].map((component) => component['bom-ref']) },
      { ref: parser['bom-ref'], dependsOn: parts.map((part) => part['bom-ref']) },
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function componentsOf(parts: readonly Part[], whole: string) {
  return parts.map(({ name, version, license, copyright }) => ({
    type: 'library',
    'bom-ref': `${whole}/${name}`,
    name,
    ...(version === undefined ? {} : { version }),
    licenses: [{ license: { id: license } }],
    copyright: copyright.join('\n'),
  }));
}

function purl(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}
