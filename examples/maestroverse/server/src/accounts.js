import { Router } from 'express';
import { hashPassword, verifyPassword } from './passwords.js';
import { authenticated, signToken } from './tokens.js';

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

/** An unknown address takes as long as a wrong password. */
const nobody = await hashPassword('');

function credentials(body) {
  const email = typeof body?.email === 'string' ? body.email.trim().toLowerCase() : '';
  const password = typeof body?.password === 'string' ? body.password : '';
  return { email, password };
}

const shown = ({ id, email, role, createdAt }) => ({ id, email, role, createdAt });

export function accounts({ prisma }, { jwtSecret, rootAdminEmails }) {
  const router = Router();
  const roleOf = (email, role) => (rootAdminEmails.includes(email) ? 'admin' : role);

  router.post('/auth/register', async (req, res) => {
    const { email, password } = credentials(req.body);
    const problems = [];
    if (!EMAIL.test(email) || email.length > 254) problems.push('email is not an address');
    if (password.length < 10 || password.length > 200) problems.push('password needs 10 to 200 characters');
    if (problems.length) return res.fail(400, 'invalid_request', { problems });

    const data = { email, passwordHash: await hashPassword(password), role: roleOf(email, 'member') };
    try {
      const user = await prisma.user.create({ data });
      res.status(201).json({ user: shown(user), token: signToken(user, jwtSecret) });
    } catch (error) {
      // P2002: the unique index.
      if (error.code === 'P2002') return res.fail(409, 'email_taken');
      throw error;
    }
  });

  router.post('/auth/login', async (req, res) => {
    const { email, password } = credentials(req.body);
    const user = await prisma.user.findUnique({ where: { email } });
    const right = await verifyPassword(password, user?.passwordHash ?? nobody);
    if (!user || !right) return res.fail(401, 'wrong_credentials');

    user.role = roleOf(email, user.role);
    res.json({ user: shown(user), token: signToken(user, jwtSecret) });
  });

  router.get('/me', authenticated(jwtSecret), async (req, res) => {
    const user = await prisma.user.findUnique({ where: { id: req.user.id } });
    if (!user) return res.fail(401, 'unauthorized');
    res.json({ ...shown(user), role: roleOf(user.email, user.role) });
  });

  return router;
}
