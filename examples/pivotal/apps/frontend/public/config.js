// What differs between installations. The server replaces this file at run time; these are the development values.
window.__PIVOTAL_CONFIG__ = { apiBaseUrl: "/api/v1" };
