/** Every sentence of the studio, in English. */
import type { MethodName } from '../../inversion/spec/method.ts';

/** Between a number and its unit, so that no line ends there. */
const NBSP = '\u00a0';

const whole = (value: number) => Math.round(value).toLocaleString('en');

/** A share as a percentage: two digits of small ones, so that a scratch is not '0 %'. */
const percent = (share: number) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}${NBSP}%`;

const seconds = (value: number) =>
  value < 10
    ? `${value.toFixed(1)}${NBSP}s`
    : value < 90
      ? `${whole(value)}${NBSP}s`
      : `${whole(value / 60)}${NBSP}min`;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)}${NBSP}MB`;

interface MethodText {
  readonly title: string;
  readonly about: string;
  /** It fills a region that is given, and finds none. */
  readonly needsMask: boolean;
}

const methods: Readonly<Record<MethodName, MethodText>> = {
  rgi: {
    title: 'RGI',
    about: 'Finds the damage and fills it. Right for most pictures.',
    needsMask: false,
  },
  rrgi: {
    title: 'R-RGI',
    about: 'Also adapts the model to this picture. Slower; better where the model misses details.',
    needsMask: false,
  },
  yeh: { title: 'Yeh et al.', about: 'Fills a region that is given; it finds none.', needsMask: true },
  dgp: { title: 'DGP', about: 'Fills a region that is given, and adapts the model.', needsMask: true },
  anogan: { title: 'AnoGAN', about: 'Searches the nearest picture of the model, damage included.', needsMask: false },
  invert: { title: 'Plain inversion', about: 'Searches the nearest picture by squared error.', needsMask: false },
};

export const texts = {
  name: 'rgi studio',
  tabs: { restore: 'Restore', inspect: 'Inspect', explore: 'Explore' },
  tabsLabel: 'What to do',
  skip: 'Skip to the content',
  dismiss: 'Dismiss',
  accepted: 'image/png,image/jpeg,image/webp,image/gif,image/bmp,image/avif',
  pixels: (width: number, height: number) => `${whole(width)} × ${whole(height)} pixels`,
  secondsLeft: (value: number) => `${seconds(Math.max(1, value))} left`,
  percent,
  privacy: {
    short: 'Nothing leaves this tab',
    title: 'Where your pictures are',
    sentences: [
      'Pictures and models are read, computed and shown in this tab only. The page has no permission to send anything to anywhere: its content-security policy forbids it.',
      'What you do is forgotten when the tab is closed. Only models that you save stay, in this browser, until you erase them.',
    ],
    device: { webgpu: 'Computes on the graphics processor (WebGPU).', wasm: 'Computes on the processor.' },
    threads: (count: number) => (count === 1 ? 'One thread.' : `${count} threads.`),
    starting: 'The engine is starting.',
    notStarted: 'The engine could not be started in this browser.',
  },
  server: {
    title: 'Compute on this server',
    off: (host: string) =>
      `Off: everything is computed in this tab, and no picture is sent. When it is on, your pictures are sent to ${host}. Switching opens another model, and results that are not saved are gone.`,
    on: (host: string) =>
      `On: the pictures that you restore are sent to ${host}, which computes with its own models and keeps the results for a while. Inspect and Explore still compute in this tab.`,
    badge: (host: string) => `Pictures go to ${host}`,
    privacy: (host: string) =>
      `This page came from ${host}, the only address that its content-security policy lets it reach. It asks there whether the server answers, and sends no picture unless you switch on 'Compute on this server'.`,
    dropHint: (host: string) => `or paste them. PNG, JPEG, WebP and others; they are sent to ${host}.`,
    model: 'On the server',
    none: 'This server has no models.',
    noMarks: 'What a server found is corrected by the threshold only. To paint, compute in this tab.',
    isOff: 'This model computes on the server, which is switched off. Switch it on, or choose another model.',
    queued: 'Waiting for the server…',
    cancelled: 'The server ended the computation. Try again.',
    silent: (host: string) => `${host} does not answer. Try again, or compute in this tab.`,
    failed: (status: number) => `The server refused this without a reason (status ${status}).`,
    token: 'Token of this server',
    useToken: 'Use the token',
  },
  failures: {
    unknown: 'Something failed that has no words. Reload the page and try again.',
    lost: (message: string) => `${message} What was computed there is lost; try again.`,
    empty: (name: string) => `${name} is empty: no bytes are in it. Choose another file.`,
    modelAsPicture: (name: string) => `${name} is a model, not a picture. Open it under 'Your own model'.`,
    notShown: (name: string, kind: string) =>
      `${name} is a ${kind} file, which browsers do not read. Save it as PNG, JPEG or WebP first.`,
    notAPicture: (name: string) =>
      `${name} is not a picture that browsers read. Use PNG, JPEG, WebP, GIF, BMP or AVIF.`,
    damaged: (name: string) => `${name} is damaged or cut short, and cannot be decoded. Choose another copy.`,
    tooLarge: (name: string, width: number, height: number, most: number) =>
      `${name} has ${whole(width)} × ${whole(height)} pixels; a tab can hold at most ${whole(most / 1e6)} million. Make it smaller, or use 'rgi restore'.`,
    noCanvas: 'This browser gives the page no canvas to read pictures with.',
    fetch: (address: string) =>
      `${address} could not be loaded. Is the studio still being served? Offline, only models that were opened before are there.`,
    camera: 'The camera cannot be used: it is absent, taken, or not allowed for this page.',
    noPictures: 'There is no picture in this folder. PNG, JPEG, WebP, GIF, BMP and AVIF files are read.',
    tooFew: (count: number, least: number) =>
      `${count} good pictures are too few to learn from; give at least ${least}.`,
    folder: 'The folder cannot be read any more. Choose it again.',
    saving: 'This browser stores nothing for the page (a private window?). Download the model instead.',
  },
  phases: {
    ready: 'not restored yet',
    waiting: 'waiting',
    running: 'being restored',
    done: 'restored',
    failed: 'failed',
  },
  models: {
    own: 'Your own model',
    ownHint: 'An .onnx file, with its companions',
    opening: 'Opening the model…',
    fromFile: 'From your files',
    savedHere: (bytes: number) => `Saved in this browser, ${megabytes(bytes)}`,
    erase: (name: string) => `Erase ${name} from this browser`,
  },
  camera: {
    open: 'Use the camera',
    take: 'Take the picture',
    close: 'Close the camera',
    label: 'What the camera sees',
  },
  restore: {
    title: 'Restore a damaged picture',
    intro: 'The studio finds what does not belong in a picture, and fills it in. You need not draw a mask.',
    step1: 'What does your picture show?',
    step2: 'Your picture',
    drop: 'Drop pictures here',
    dropHint: 'or paste them. PNG, JPEG, WebP and others; they stay in this tab.',
    choose: 'Choose pictures',
    examples: 'No picture at hand? Try a damaged one:',
    example: (n: number) => `Damaged example ${n}`,
    with: (model: string) => `Model: ${model}`,
    changeModel: 'Change',
    pictures: 'Your pictures',
    addMore: 'Add pictures',
    remove: (name: string) => `Remove ${name}`,
    filmLabel: (name: string, phase: string) => `${name}, ${phase}`,
    asideLabel: 'Controls',
    pictureLabel: (name: string) => `Your picture, ${name}`,
    go: 'Restore',
    goAll: 'Restore all',
    goHint: 'You will see it happen, and can correct what it finds.',
    waiting: 'Waiting…',
    preparing: 'Preparing the search…',
    running: 'Restoring…',
    paused: 'Paused',
    pause: 'Pause',
    resume: 'Resume',
    stop: 'Stop',
    step: (step: number, steps: number) => `Step ${whole(step)} of ${whole(steps)}`,
    foundSoFar: (share: number) => `${percent(share)} looks damaged so far.`,
    loss: 'Loss (lower is a better fit)',
    paneFound: 'Found so far',
    paneFoundLabel: 'Your picture, with what looks damaged in red',
    paneRestored: "The model's picture",
    paneRestoredLabel: "The model's nearest picture so far",
    paneDifference: 'Difference',
    paneDifferenceLabel: "The difference between your picture and the model's, bright where it is large",
  },
  settings: {
    title: 'Settings',
    method: 'Method',
    fit: 'Pictures of another shape',
    contain: 'Use all of the picture',
    cover: 'Use its middle',
    seed: 'Seed',
    seedHint: 'The same seed gives the same result.',
    steps: 'Steps',
    stepsAutomatic: 'automatic',
  },
  methods,
  result: {
    looks: 'How to look at the result',
    look: {
      compare: 'Before / after',
      found: 'Found',
      difference: 'Difference',
      uncertainty: 'Certainty',
      history: 'Steps',
      methods: 'Methods',
    },
    summary: (share: number, time: number, steps: number) =>
      [`${percent(share)} found damaged`, ...(steps > 1 ? [`${whole(steps)} steps`] : []), `${seconds(time)}.`].join(
        ', ',
      ),
    outOfDomain:
      'This picture is unlike those that the model makes, so the result may mean little. Choose another model, or crop the picture.',
    threshold: 'What counts as damage',
    automatic: 'automatic',
    grey: (value: number) => `from ${value} grey levels`,
    thresholdHint: 'Lower finds more. The red region follows at once.',
    backToAutomatic: 'Back to automatic',
    again: 'Restore again with this',
    before: 'Before',
    after: 'After',
    compareLabel: 'Before and after; the arrow keys move the divider',
    actual: 'Own size',
    fitted: 'Fit to the page',
    foundLabel: 'Your picture, with the found region in red',
    goodLabel: 'What you marked as good',
    noHistory: 'No step of this search was recorded.',
    iteration: 'Recorded pictures of the search',
    recorded: (position: number, count: number) => `${position} of ${count}`,
    methodsTitle: 'The same picture by other methods',
    methodsGo: 'Compare',
    thisResult: 'This result',
    byMethod: (method: string) => `Result of ${method}`,
  },
  planes: {
    difference: {
      label: "The difference between the picture and the model's",
      about: "How far your picture is from the model's, in grey levels. The scale is the same for every picture.",
      low: '0',
      high: '127 and more',
    },
    uncertainty: {
      label: 'How likely each pixel is damaged',
      about:
        'How likely each pixel is damaged, as the search concludes. Middle colours are doubtful: look there first.',
      low: '0 %',
      high: '100 %',
    },
  },
  brush: {
    title: 'Correct it by hand',
    hide: 'Damaged',
    keep: 'Good',
    size: 'Brush',
    sizeOf: (share: number) => `${percent(share)} of the picture`,
    undo: 'Undo',
    redo: 'Redo',
    clear: 'Clear',
    surface: 'Paint on the picture: arrow keys move the brush, the space bar paints',
    hint: 'Paint what was missed, or what is good after all.',
    keyFound: 'damaged',
    keyGood: 'marked as good',
  },
  save: {
    title: 'Save',
    picture: (format: string) => `Save the picture (${format})`,
    formats: { 'image/png': 'PNG', 'image/jpeg': 'JPEG', 'image/webp': 'WebP' },
    mask: 'Mask',
    manifest: 'Manifest',
    manifestHint: 'Settings and result, with the command of rgi that repeats it',
    restart: 'Run again',
    restartHint: 'Search from the beginning, with the settings as they are now',
  },
  inspect: {
    title: 'Find what is not as it should be',
    intro:
      'Show the studio good pictures of a part or a product. It learns what they are like, and marks what is different in others.',
    step1: 'Learn from good pictures',
    orModel: 'Or use a model that has learned already:',
    step2: 'Pictures to inspect',
    keepModel: 'Keep the model',
    noPolicy: (name: string) =>
      `${name} has no thresholds for inspection. Open it together with its .policy.npz, or train on good pictures.`,
    drop: 'Drop a folder to inspect',
    dropHint: 'All pictures in it and below it are inspected, and stay in this tab.',
    moreHint: 'They are added to these.',
    choose: 'Choose a folder',
    more: 'Inspect more pictures',
    clear: 'Take all pictures away',
    inspecting: (done: number, all: number) => `Inspecting: ${done} of ${all}`,
    summary: ({
      defective,
      marked,
      good,
      failed,
    }: Readonly<Record<'defective' | 'marked' | 'good' | 'failed', number>>) =>
      `${defective} defective, ${marked > 0 ? `${marked} marked under the limit, ` : ''}${good} good${failed > 0 ? `, ${failed} could not be read` : ''}.`,
    filter: 'Which pictures are shown',
    filters: {
      all: (count: number) => `All ${count}`,
      defective: (count: number) => `Defective ${count}`,
      marked: (count: number) => `Marked ${count}`,
      good: (count: number) => `Good ${count}`,
    },
    noneHere: 'There is no such picture.',
    verdicts: {
      defective: 'defective',
      marked: 'marked, under the limit',
      good: 'good',
      open: 'waiting',
      failed: 'not read',
    },
    decided: { defective: 'confirmed', good: 'good after all' },
    tileLabel: (name: string, verdict: string, score: number | undefined) =>
      `${name}, ${verdict}${score === undefined ? '' : `, score ${score.toPrecision(3)}`}`,
    score: (score: number) => `score ${score.toPrecision(3)}`,
    confirm: 'Defect',
    confirmLabel: (name: string) => `Defect: ${name}`,
    reject: 'Good',
    rejectLabel: (name: string) => `Good: ${name}`,
    back: 'Back to all pictures',
    regions: 'Marked',
    map: 'Map',
    mapLabel: (name: string) => `How unusual each part of ${name} is`,
    mapHint: 'Brighter is more unusual; the middle of the scale is the limit of a pixel.',
    detail: (score: number, limit: number, regions: number) =>
      `score ${score.toPrecision(3)}, limit ${limit.toPrecision(3)}, ${regions} marked ${regions === 1 ? 'region' : 'regions'}`,
    limit: 'Limit',
    limitHint: 'Pictures with a higher score are defective.',
    alarms: (share: number) => `${percent(share)} of the good pictures would be called defective.`,
    ownLimit: 'Back to the calibrated limit',
    histogramLabel: (good: number, inspected: number) =>
      `Histogram of the scores of ${good} good and ${inspected} inspected pictures, with the limit`,
    keyGood: 'good pictures',
    keyInspected: 'inspected pictures',
    csv: 'List (CSV)',
    report: 'Report',
    detector: 'Detector',
    detectorHint: 'One ONNX file that inspects pictures without rgi',
  },
  train: {
    title: 'Training',
    drop: 'Drop a folder of good pictures',
    dropHint:
      'From about 30 on; 100 or more are better. They should be taken alike: same part, same place, same light.',
    choose: 'Choose a folder of good pictures',
    chosen: (count: number) => `${whole(count)} good pictures are chosen.`,
    defaultName: 'My parts',
    name: 'Name',
    size: 'Pixels a side',
    sizeHint: 'More show smaller defects, and take longer.',
    features: 'Compare textures too: finds more, takes longer',
    go: 'Learn',
    cancel: 'Choose others',
    reading: 'Reading the pictures',
    done: (name: string, held: number) =>
      held > 0
        ? `${name} is ready. Its limit was set on ${held} good pictures that were held back.`
        : `${name} is ready.`,
    odd: (count: number) => `${count} good ${count === 1 ? 'picture looks' : 'pictures look'} odd`,
    oddHint: 'Look at them: a defect among the good pictures makes the limit too high.',
    save: 'Keep in this browser',
    saved: 'Kept in this browser',
    saveHint: 'Without this it is forgotten when the tab is closed. A kept model can be erased on its card.',
    download: 'Save the model files',
  },
  watch: { folder: 'Watch a folder', camera: 'Watch the camera', stop: 'Stop watching' },
  report: {
    title: 'Inspection',
    defective: 'defective',
    marked: 'marked, under the limit',
    good: 'good',
    pictures: 'pictures',
    model: 'Model',
    policy: 'Policy',
    limit: 'Limit of the score',
    about:
      'A picture is defective if its score is above the limit, or if a person said so. One that has regions and a score under the limit is marked.',
    verdict: 'Verdict',
    score: 'Score',
    order: 'the highest score first',
    picture: 'inspected',
  },
  explore: {
    title: 'See what a model can make',
    intro: 'A model can only restore what it can make. Look at its pictures, and at the nearest ones to yours.',
    step1: 'Model',
    samples: 'Samples',
    samplesHint: 'Choose two to see what lies between them.',
    again: 'Other samples',
    sample: (n: number) => `Sample ${n}`,
    between: 'Between two',
    betweenText: (share: number) => `${whole(100 * share)} % of the way`,
    betweenLabel: 'The picture between the two chosen samples',
    walk: 'Along one latent',
    walkHint: 'Moves one of the numbers that the picture is made from.',
    latent: 'Latent',
    latentText: (index: number, count: number) => `${index + 1} of ${count}`,
    value: 'Its value',
    walkLabel: 'The first chosen sample with one latent changed',
    project: 'Your picture',
    projectDrop: 'Drop a picture',
    projectHint: 'and see the nearest one that the model can make.',
    projectGo: 'Choose a picture',
    yours: 'Yours',
    nearest: "The model's nearest",
    projecting: 'Searching the nearest picture…',
    drawing: 'Drawing…',
  },
} as const;
