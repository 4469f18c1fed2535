/** What the AWS_* variables say of a bucket. They are checked, since errors of requests that are made with them would quote their values. */
import { RgiError } from '../../errors.ts';

/** Throws `usage`, without the value, where a variable is missing or cannot be used. */
export function bucketSettings(env: NodeJS.ProcessEnv) {
  const valueFrom = (name: string) => {
    const value = env[name];
    // Of ASCII; a line break at the end comes with a file that was read into the variable.
    if (value && !/^[\x21-\x7e]+$/.test(value))
      throw new RgiError('usage', `${name} has a space, a line break or another unusable character; set it again.`);
    return value || undefined;
  };
  const [accessKeyId, secretAccessKey] = [valueFrom('AWS_ACCESS_KEY_ID'), valueFrom('AWS_SECRET_ACCESS_KEY')];
  if (!accessKeyId || !secretAccessKey)
    throw new RgiError('usage', 'A bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; set these variables.');
  const region = valueFrom('AWS_REGION') ?? valueFrom('AWS_DEFAULT_REGION') ?? 'us-east-1';
  if (!/^[\w-]+$/.test(region))
    throw new RgiError('usage', 'AWS_REGION is no name of a region; write one such as eu-central-1.');
  const variable = env.AWS_ENDPOINT_URL_S3 ? 'AWS_ENDPOINT_URL_S3' : 'AWS_ENDPOINT_URL';
  const endpoint = valueFrom(variable);
  if (endpoint !== undefined && !isEndpoint(endpoint))
    throw new RgiError(
      'usage',
      `${variable} is no address of a server; write http://host:port or https://host, without a user and a password.`,
    );
  return { accessKeyId, secretAccessKey, sessionToken: valueFrom('AWS_SESSION_TOKEN'), region, endpoint };
}

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search + hash === '';
}
