// The public names of @microturn/tools/mcp, written by hand: adding one is a decision.

export {
  type ConnectMcpOptions,
  connectMcp,
  type McpConnection,
  type McpHttpServer,
  type McpStdioServer,
} from "./connect-mcp.js";
export { type McpAnnotations, type McpPolicy, type McpToolsOptions, mcpTools } from "./mcp-tools.js";
