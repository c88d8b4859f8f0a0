// Test doubles and small models for tests of applications and of this project.
export {};
