/** Every sentence of the studio, in English. */
import type { MethodName } from '../../inversion/spec/method.ts';

const whole = (value: number) => Math.round(value).toLocaleString('en');

/** A share as a percentage: two digits of small ones, so that a scratch is not '0 %'. */
const percent = (share: number) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

const seconds = (value: number) =>
  value < 10 ? `${value.toFixed(1)} s` : value < 90 ? `${whole(value)} s` : `${whole(value / 60)} min`;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

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
  failures: {
    unknown: 'Something failed that has no words. Reload the page and try again.',
    lost: (message: string) => `${message} What was computed there is lost; try again.`,
    empty: (name: string) => `${name} is empty: no bytes are in it. Choose another file.`,
    modelAsPicture: (name: string) => `${name} is a model, not a picture. Open it under 'Your own model'.`,
    notShown: (name: string, kind: string) =>
      `${name} is a ${kind} file, which browsers do not read. Save it as PNG, JPEG or WebP first.`,
    notAPicture: (name: string) => `${name} is not a picture that browsers read. Use PNG, JPEG, WebP, GIF, BMP or AVIF.`,
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
    saving: 'This browser stores nothing for the page (a private window?). Download the model instead.',
  },
  phases: { ready: 'not restored yet', waiting: 'waiting', running: 'being restored', done: 'restored', failed: 'failed' },
  models: {
    own: 'Your own model',
    ownHint: 'An .onnx file, with its companions',
    opening: 'Opening the model…',
    fromFile: 'From your files',
    savedHere: (bytes: number) => `Saved in this browser, ${megabytes(bytes)}`,
    erase: (name: string) => `Erase ${name} from this browser`,
  },
  camera: { open: 'Use the camera', take: 'Take the picture', close: 'Close the camera', label: 'What the camera sees' },
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
      `${percent(share)} found damaged, ${whole(steps)} ${steps === 1 ? 'step' : 'steps'}, ${seconds(time)}.`,
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
    iteration: 'Recorded steps',
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
      about: 'How likely each pixel is damaged, as the search concludes. Middle colours are doubtful: look there first.',
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
    restartHint: 'Search again with the settings as they are now',
  },
} as const;
