/** Builds the content of an image from programs of this machine, for tests that can reach no registry. */
import { chmod, cp, mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { output, programPath } from './tool.ts';

export class RootFileSystem {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Adds a program of the PATH or a file, at `to` (a folder), with the libraries that it links to. */
  async program(name: string, to: string): Promise<void> {
    const file = name.includes('/') ? name : await programPath(name);
    if (file === undefined) throw new Error(`there is no program ${name} to put into an image`);
    await this.copy(await realpath(file), join(to, basename(name)));
    await chmod(join(this.folder, to, basename(name)), 0o755);
    await this.libraries(file);
  }

  /** The libraries that the dynamic linker loads for it, and the linker itself, where they are on this machine. */
  async libraries(file: string, which = /./): Promise<void> {
    for (const [path] of (await output('ldd', [file])).matchAll(/(?<=\s)\/[^ \n)]+/g)) {
      // A library that is found relative to the program comes with the program.
      if (!path.includes('/../') && which.test(path)) await this.copy(await realpath(path), path);
    }
  }

  async copy(from: string, to: string): Promise<void> {
    await this.directory(dirname(to));
    await cp(from, join(this.folder, to), { recursive: true, verbatimSymlinks: true, force: true });
  }

  async file(path: string, text: string, mode = 0o644): Promise<void> {
    await this.directory(dirname(path));
    await writeFile(join(this.folder, path), text);
    await chmod(join(this.folder, path), mode);
  }

  async directory(path: string, mode?: number): Promise<void> {
    await mkdir(join(this.folder, path), { recursive: true });
    if (mode !== undefined) await chmod(join(this.folder, path), mode);
  }

  async link(path: string, target: string): Promise<void> {
    await this.directory(dirname(path));
    await symlink(target, join(this.folder, path));
  }
}
