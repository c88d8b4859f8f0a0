// What the backends over ONNX Runtime share.
export {};
