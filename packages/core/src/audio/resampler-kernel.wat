;; The inner loop of the resampler, four or two outputs at a time, each with two sums of two lanes.
;; The lanes are the four sums of the plain kernel (resampler-kernel.ts), added up in the same order, so the bits are the same.
;; resampler-simd.ts has this as bytes; its test assembles it again.
(module
  ;; 8 pages: how they are used, resampler-simd.ts says.
  (memory (export "memory") 8)

  ;; One output: the four sums, within the range of 32-bit floats.
  (func $output (param $ab v128) (param $cd v128) (result f32)
    (f32.demote_f64
      (f64.max (f64.const -0x1.fffffep+127)
        (f64.min (f64.const 0x1.fffffep+127)
          (f64.add
            (f64.add (f64x2.extract_lane 0 (local.get $ab)) (f64x2.extract_lane 1 (local.get $ab)))
            (f64.add (f64x2.extract_lane 0 (local.get $cd)) (f64x2.extract_lane 1 (local.get $cd))))))))

  ;; All outputs of one phase, rounded up to fours. Lengths and places are in bytes: $row and $length of its taps, $at of the first
  ;; output's oldest input and $step to the next one's, $out of the first output and $outStep to the next, $end where they end.
  (func (export "phase")
    (param $row i32) (param $length i32) (param $at i32) (param $step i32) (param $out i32) (param $outStep i32) (param $end i32)
    (local $i i32) (local $at1 i32) (local $at2 i32) (local $at3 i32) (local $left v128) (local $right v128)
    (local $ab0 v128) (local $cd0 v128) (local $ab1 v128) (local $cd1 v128)
    (local $ab2 v128) (local $cd2 v128) (local $ab3 v128) (local $cd3 v128) (local $zero v128)
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $out) (local.get $end)))
        (local.set $at1 (i32.add (local.get $at) (local.get $step)))
        (local.set $at2 (i32.add (local.get $at1) (local.get $step)))
        (local.set $at3 (i32.add (local.get $at2) (local.get $step)))
        (local.set $ab0 (local.get $zero)) (local.set $cd0 (local.get $zero))
        (local.set $ab1 (local.get $zero)) (local.set $cd1 (local.get $zero))
        (local.set $ab2 (local.get $zero)) (local.set $cd2 (local.get $zero))
        (local.set $ab3 (local.get $zero)) (local.set $cd3 (local.get $zero))
        (local.set $i (i32.const 0))
        (loop $tap
          (local.set $left (v128.load (i32.add (local.get $row) (local.get $i))))
          (local.set $right (v128.load offset=16 (i32.add (local.get $row) (local.get $i))))
          (local.set $ab0 (f64x2.add (local.get $ab0)
            (f64x2.mul (local.get $left) (v128.load (i32.add (local.get $at) (local.get $i))))))
          (local.set $cd0 (f64x2.add (local.get $cd0)
            (f64x2.mul (local.get $right) (v128.load offset=16 (i32.add (local.get $at) (local.get $i))))))
          (local.set $ab1 (f64x2.add (local.get $ab1)
            (f64x2.mul (local.get $left) (v128.load (i32.add (local.get $at1) (local.get $i))))))
          (local.set $cd1 (f64x2.add (local.get $cd1)
            (f64x2.mul (local.get $right) (v128.load offset=16 (i32.add (local.get $at1) (local.get $i))))))
          (local.set $ab2 (f64x2.add (local.get $ab2)
            (f64x2.mul (local.get $left) (v128.load (i32.add (local.get $at2) (local.get $i))))))
          (local.set $cd2 (f64x2.add (local.get $cd2)
            (f64x2.mul (local.get $right) (v128.load offset=16 (i32.add (local.get $at2) (local.get $i))))))
          (local.set $ab3 (f64x2.add (local.get $ab3)
            (f64x2.mul (local.get $left) (v128.load (i32.add (local.get $at3) (local.get $i))))))
          (local.set $cd3 (f64x2.add (local.get $cd3)
            (f64x2.mul (local.get $right) (v128.load offset=16 (i32.add (local.get $at3) (local.get $i))))))
          (local.set $i (i32.add (local.get $i) (i32.const 32)))
          (br_if $tap (i32.lt_u (local.get $i) (local.get $length))))
        (f32.store (local.get $out) (call $output (local.get $ab0) (local.get $cd0)))
        (local.set $out (i32.add (local.get $out) (local.get $outStep)))
        (f32.store (local.get $out) (call $output (local.get $ab1) (local.get $cd1)))
        (local.set $out (i32.add (local.get $out) (local.get $outStep)))
        (f32.store (local.get $out) (call $output (local.get $ab2) (local.get $cd2)))
        (local.set $out (i32.add (local.get $out) (local.get $outStep)))
        (f32.store (local.get $out) (call $output (local.get $ab3) (local.get $cd3)))
        (local.set $out (i32.add (local.get $out) (local.get $outStep)))
        (local.set $at (i32.add (local.get $at3) (local.get $step)))
        (br $four))))

  ;; All outputs one after the other, rounded up to twos, each by the row of its own phase; for ratios of so many phases that few outputs
  ;; share one. In bytes: $row0 of the first output and $length of its taps, $rowStep to the next output's row, which comes round at
  ;; $rowsEnd; $at0 of the first output's oldest input, $atStep to the next one's if the rows do not come round; $out to $end the outputs.
  (func (export "outputs")
    (param $row0 i32) (param $length i32) (param $rowStep i32) (param $rowsEnd i32) (param $at0 i32) (param $atStep i32)
    (param $out i32) (param $end i32)
    (local $i i32) (local $row1 i32) (local $at1 i32)
    (local $ab0 v128) (local $cd0 v128) (local $ab1 v128) (local $cd1 v128) (local $zero v128)
    (block $done
      (loop $two
        (br_if $done (i32.ge_u (local.get $out) (local.get $end)))
        (local.set $row1 (i32.add (local.get $row0) (local.get $rowStep)))
        (local.set $at1 (i32.add (local.get $at0) (local.get $atStep)))
        (if (i32.ge_u (local.get $row1) (local.get $rowsEnd)) (then
          (local.set $row1 (i32.sub (local.get $row1) (local.get $rowsEnd)))
          (local.set $at1 (i32.add (local.get $at1) (i32.const 8)))))
        (local.set $ab0 (local.get $zero)) (local.set $cd0 (local.get $zero))
        (local.set $ab1 (local.get $zero)) (local.set $cd1 (local.get $zero))
        (local.set $i (i32.const 0))
        (loop $tap
          (local.set $ab0 (f64x2.add (local.get $ab0) (f64x2.mul
            (v128.load (i32.add (local.get $row0) (local.get $i)))
            (v128.load (i32.add (local.get $at0) (local.get $i))))))
          (local.set $cd0 (f64x2.add (local.get $cd0) (f64x2.mul
            (v128.load offset=16 (i32.add (local.get $row0) (local.get $i)))
            (v128.load offset=16 (i32.add (local.get $at0) (local.get $i))))))
          (local.set $ab1 (f64x2.add (local.get $ab1) (f64x2.mul
            (v128.load (i32.add (local.get $row1) (local.get $i)))
            (v128.load (i32.add (local.get $at1) (local.get $i))))))
          (local.set $cd1 (f64x2.add (local.get $cd1) (f64x2.mul
            (v128.load offset=16 (i32.add (local.get $row1) (local.get $i)))
            (v128.load offset=16 (i32.add (local.get $at1) (local.get $i))))))
          (local.set $i (i32.add (local.get $i) (i32.const 32)))
          (br_if $tap (i32.lt_u (local.get $i) (local.get $length))))
        (f32.store (local.get $out) (call $output (local.get $ab0) (local.get $cd0)))
        (f32.store offset=4 (local.get $out) (call $output (local.get $ab1) (local.get $cd1)))
        (local.set $out (i32.add (local.get $out) (i32.const 8)))
        (local.set $row0 (i32.add (local.get $row1) (local.get $rowStep)))
        (local.set $at0 (i32.add (local.get $at1) (local.get $atStep)))
        (if (i32.ge_u (local.get $row0) (local.get $rowsEnd)) (then
          (local.set $row0 (i32.sub (local.get $row0) (local.get $rowsEnd)))
          (local.set $at0 (i32.add (local.get $at0) (i32.const 8)))))
        (br $two)))))
