// The exchange of a situation, as a case-management program plays it with the
// client that a generator made in ./generated from the served /openapi.json:
// nothing here knows a path, a header or a form but through that client.
//
// Environment: ASE, PARQUET, JUGE (addresses of the brokers), ASE_TOKEN,
// PARQUET_TOKEN, JUGE_TOKEN, PAPERS (the fictitious documents). Failures name
// what was expected, never a value of a document.

import { createHash, randomUUID } from 'node:crypto';
import { openAsBlob, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as api from './generated';
import { createClient, createConfig, type Client } from './generated/client';
import type { Act, Evidence, Item, Message, Problem, Receipt } from './generated';

const env = (name: string): string => process.env[name] ?? fail(`${name} is not set`);
const party = (name: string): Client => createClient(createConfig({ baseUrl: env(name), auth: env(`${name}_TOKEN`) }));
const ase = party('ASE'), parquet = party('PARQUET'), juge = party('JUGE');

const clerk = { name: 'MODÈLE Alix', function: 'inspectrice enfance' };
const greffe = { name: 'GABARIT Sacha', function: 'greffière' };
const sha256 = (b: Uint8Array | string): string => createHash('sha256').update(b).digest('hex');
const minuteAgo = (): string => new Date(Date.now() - 60_000).toISOString();

function fail(what: string): never {
  throw new Error(what);
}

function want(holds: boolean, what: string): asserts holds {
  if (!holds) fail(what);
}

// ok gives what a call answered; a refusal ends the exchange, told by its code.
async function ok<T>(what: string, call: Promise<{ data: T | undefined; error: Problem | undefined; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (data === undefined) fail(`${what}: ${response?.status} ${error?.code} ${(error?.errors ?? []).map((e) => `${e.path} ${e.code}`)}`);
  return data;
}

// until asks again until there is an answer: brokers carry in their own time.
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 120_000; Date.now() < end; ) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((later) => setTimeout(later, 20));
  }
  return fail(`never came: ${what}`);
}

const paper = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(env('PAPERS'), name), 'utf8'));
const pdf = (name: string): string => join(env('PAPERS'), 'pdf', `${name}.pdf`);

// send deposits a message; the pieces are read from the disk as they go.
async function send(as: Client, message: Message, ...pieces: string[]): Promise<Receipt> {
  const piece = await Promise.all(pieces.map((path) => openAsBlob(path, { type: 'application/pdf' })));
  const headers = { 'Idempotency-Key': randomUUID() };
  const receipt = await ok(message.kind, api.submitMessage({ client: as, headers, body: { message, piece } }));
  want(!receipt.repeated && receipt.deposit_sig.startsWith('-----BEGIN PGP SIGNATURE-----'), 'a stamped receipt');
  if (pieces.length > 0) return receipt;
  const again = await ok(message.kind, api.submitMessage({ client: as, headers, body: { message } }));
  want(again.repeated && again.id === receipt.id && again.deposit === receipt.deposit, 'the same receipt for the same key');
  return receipt;
}

// inbox waits for a message among those that wait for a party.
const inbox = (as: Client, id: string): Promise<Item> =>
  until('a message in the list', async () => {
    const page = await ok('list', api.listMessages({ client: as, query: { waiting: true, limit: 50 } }));
    return page.items.find((m) => m.id === id);
  });

// reads takes all of a message, and compares it with what was sent.
async function reads(as: Client, id: string, sent: Message, ...pieces: string[]): Promise<void> {
  const path = { id };
  const document = await ok('document', api.getDocument({ client: as, path }));
  want(isDeepStrictEqual(document, sent.document), 'the document that was sent');
  const raw = await api.getDocument({ client: as, path, parseAs: 'stream' });
  const digest = sha256(new Uint8Array(await new Response(raw.data as unknown as ReadableStream).arrayBuffer()));
  const summary = await ok('summary', api.getSummary({ client: as, path }));
  want(summary.kind === sent.kind && summary.actor.name === sent.actor.name && summary.basis === 'declared', 'the summary of what was sent');
  want(digest === summary.document_sha256 && raw.response.headers.get('ETag') === `"${digest}"`, 'the digest of the document');
  const words: unknown = await ok('words', api.getDocument({ client: as, path, headers: { Accept: 'text/plain' } }));
  want(typeof words === 'string' && words.length > 0, 'the document in words');
  want(summary.pieces.length === pieces.length, 'as many pieces as were sent');
  for (const p of summary.pieces) {
    const file = readFileSync(pieces[p.n - 1]);
    const blob = await ok('piece', api.getPiece({ client: as, path: { id, n: p.n } }));
    const got = sha256(new Uint8Array(await blob.arrayBuffer()));
    want(blob.type === 'application/pdf' && blob.size === p.size, `the size and type of ${basename(p.name)}`);
    want(got === sha256(file) && got === p.sha256, `the bytes of ${basename(p.name)}`);
  }
}

// acts says what becomes of a message; said twice, it is signed once.
async function acts(as: Client, id: string, said: Act): Promise<void> {
  const first = await ok(said.event, api.act({ client: as, path: { id }, body: said }));
  const again = await ok(said.event, api.act({ client: as, path: { id }, body: said }));
  want(!first.repeated && again.repeated && again.digest === first.digest, 'one evidence for one act');
}

// proven waits until a party sees the signed fact, and checks its bytes.
async function proven(as: Client, id: string, event: Evidence['event'], recipient: string): Promise<Evidence> {
  const fact = await until(event, async () => {
    const list = await ok('evidences', api.listEvidences({ client: as, path: { id } }));
    want(sha256(Buffer.from(list.header, 'base64')) === list.header_sha256, 'the digest of the header');
    return list.items.find((e) => e.event === event && e.recipient === recipient);
  });
  const bytes = Buffer.from(fact.evidence, 'base64');
  want(sha256(bytes) === fact.digest && JSON.parse(bytes.toString()).id === id, 'the bytes of an evidence');
  want(fact.signature.startsWith('-----BEGIN PGP SIGNATURE-----'), 'the signature of an evidence');
  const view = await ok('state', api.getMessage({ client: as, path: { id } }));
  want(view.evidences.some((e) => e.digest === fact.digest), 'the evidence in the state');
  return fact;
}

// refused wants a refusal with that status and code, and gives it as typed.
async function refused(call: Promise<{ error: Problem | undefined; response: Response }>, status: number, code: Problem['code']): Promise<Problem> {
  const { error, response } = await call;
  want(response.headers.get('Content-Type')?.startsWith('application/problem+json') === true, 'a problem');
  want(error !== undefined && response.status === status && error.status === status, `the status ${status}`);
  want(error.code === code && error.type === `urn:vaguemestre:problem:${code}`, `the code ${code}`);
  return error;
}

async function exchange(): Promise<void> {
  // The ASE reports; the parquet finds it, reads it all, and takes it in charge.
  const report: Message = { kind: 'signalement', to: ['parquet-lille'], urgency: 'U0', actor: clerk, document: paper('01-signalement.json') };
  const r1 = await send(ase, report, pdf('rapport'), pdf('certificat'));
  const found = await inbox(parquet, r1.id);
  want(found.from === 'ase-59' && found.box === 'received' && found.urgency === 'U0', 'the signalement in the list');
  await reads(parquet, r1.id, report, pdf('rapport'), pdf('certificat'));
  await proven(ase, r1.id, 'fetched', 'parquet-lille');
  await acts(parquet, r1.id, { event: 'taken_in_charge', actor: greffe, reason: 'OPP en cours de rédaction' });
  const taken = await proven(ase, r1.id, 'taken_in_charge', 'parquet-lille');
  want(taken.detail?.actor.name === greffe.name && taken.detail.basis === 'declared' && taken.sealed !== undefined, 'who acted');

  // What the law does not admit is refused, and says why; what is of others is not there.
  const unlawful: Message = { ...report, to: ['je-lille'] };
  const piece = [await openAsBlob(pdf('rapport')), await openAsBlob(pdf('certificat'))];
  const no = await refused(api.submitMessage({ client: ase, headers: { 'Idempotency-Key': randomUUID() }, body: { message: unlawful, piece } }), 422, 'refused');
  want((no.errors ?? []).length > 0 && (no.hint ?? '') !== '', 'a reason and what to do');
  await refused(api.getMessage({ client: juge, path: { id: r1.id } }), 404, 'message_not_found');
  const bad = await refused(api.submitMessage({ client: ase, headers: { 'Idempotency-Key': randomUUID() }, body: { message: { ...report, document: {} } } }), 422, 'document_invalid');
  want((bad.errors ?? []).every((e) => e.path.startsWith('document') && e.code !== '' && e.message !== ''), 'every fault with its path');

  // The parquet orders, in the same thread; the ASE carries it out.
  const thread = r1.thread ?? fail('a thread');
  const order: Message = { kind: 'opp', to: ['ase-59'], cc: ['je-lille'], thread, in_reply_to: r1.id, actor: greffe, document: paper('02-opp.json') };
  const r2 = await send(parquet, order, pdf('ordonnance'));
  await inbox(ase, r2.id);
  await reads(ase, r2.id, order, pdf('ordonnance'));
  await acts(ase, r2.id, { event: 'executed', actor: clerk, done_at: minuteAgo(), place: 'Ville-Exemple' });
  want((await proven(parquet, r2.id, 'executed', 'ase-59')).detail?.place === 'Ville-Exemple', 'where it was carried out');

  // The parquet seizes the judge, who registers and decides.
  const seizing: Message = { kind: 'requete', to: ['je-lille'], cc: ['ase-59'], thread, in_reply_to: r2.id, actor: greffe, document: paper('03-requete.json') };
  const r3 = await send(parquet, seizing, pdf('requete'), pdf('ordonnance'));
  await inbox(juge, r3.id);
  await reads(juge, r3.id, seizing, pdf('requete'), pdf('ordonnance'));
  await acts(juge, r3.id, { event: 'registered', actor: greffe, number: 'B26/FICTIF/0099', done_at: minuteAgo() });
  want((await proven(parquet, r3.id, 'registered', 'je-lille')).detail?.number === 'B26/FICTIF/0099', 'the number of the file');
  const decision: Message = { kind: 'decision', to: ['ase-59', 'parquet-lille'], thread, in_reply_to: r3.id, actor: greffe, document: paper('04-decision.json') };
  const r4 = await send(juge, decision, pdf('decision'));
  await inbox(parquet, r4.id);
  await inbox(ase, r4.id);
  await reads(ase, r4.id, decision, pdf('decision'));
  await acts(ase, r4.id, { event: 'taken_in_charge', actor: clerk });
  await proven(juge, r4.id, 'taken_in_charge', 'ase-59');

  // The parquet gives the suites; the proof of the whole is taken away.
  const suites: Message = { kind: 'suites', to: ['ase-59'], thread, in_reply_to: r1.id, actor: greffe, document: paper('05-suites.json') };
  const r5 = await send(parquet, suites);
  await proven(parquet, r5.id, 'consigned', 'ase-59');
  await reads(ase, r5.id, suites);
  await proven(parquet, r5.id, 'fetched', 'ase-59');
  const tar = await ok('export', api.exportMessage({ client: parquet, path: { id: r2.id } }));
  want(tar.type === 'application/x-tar' && tar.size % 512 === 0 && tar.size > 0, 'an export');
  const of = await ok('thread', api.listMessages({ client: parquet, query: { box: 'sent', thread } }));
  want(of.items.length === 3, 'the three that the parquet sent');
}

exchange().catch((e: Error) => {
  console.error(`exchange: ${e.message}`);
  process.exitCode = 1;
});
