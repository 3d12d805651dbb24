// What the driver uses of puppeteer, and no more: its own types bring those of Node with them.
export interface Request {
  url(): string;
  respond(answer: { contentType: string; body: string }): Promise<void>;
  continue(): Promise<void>;
}
export interface Page {
  browserContext(): BrowserContext;
  evaluateOnNewDocument(script: string | ((given: string) => void), given?: string): Promise<object>;
  goto(url: string): Promise<object | null>;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): Page;
  on(event: "pageerror", listener: (error: Error) => void): Page;
  on(event: "request", listener: (request: Request) => void): Page;
  setDefaultTimeout(ms: number): void;
  setRequestInterception(on: boolean): Promise<void>;
}
export interface BrowserContext {
  close(): Promise<void>;
  newPage(): Promise<Page>;
}
export interface Browser {
  close(): Promise<void>;
  createBrowserContext(): Promise<BrowserContext>;
  version(): Promise<string>;
}

export interface Puppeteer {
  launch(options: object): Promise<Browser>;
}
