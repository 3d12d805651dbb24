// What the driver uses of Node, and no more: all types of Node would be those of the page's scripts as well.
declare module "node:process" {
  const process: {
    argv: string[];
    stdin: object;
    stdout: { write(text: string): boolean };
  };
  export default process;
}

declare module "node:readline" {
  export function createInterface(options: { input: object }): AsyncIterable<string>;
}
