import jwt from 'jsonwebtoken';

const ISSUER = 'maestroverse';

export function signToken(user, secret) {
  return jwt.sign({ role: user.role }, secret, {
    algorithm: 'HS256',
    issuer: ISSUER,
    subject: user.id,
    expiresIn: '12h',
  });
}

/** The user's id and role, or null. */
export function readToken(token, secret) {
  try {
    const claims = jwt.verify(token, secret, { algorithms: ['HS256'], issuer: ISSUER });
    return { id: claims.sub, role: claims.role };
  } catch {
    return null;
  }
}

/** Lets requests with a valid token through. */
export function authenticated(secret) {
  return (req, res, next) => {
    const [scheme, token] = (req.get('authorization') ?? '').split(' ');
    const user = scheme.toLowerCase() === 'bearer' && token ? readToken(token, secret) : null;
    if (!user) {
      res.set('WWW-Authenticate', 'Bearer');
      return res.fail(401, 'unauthorized');
    }
    req.user = user;
    next();
  };
}
