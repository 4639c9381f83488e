;; Least recently used, written by hand against the contract of sdk/abi/README.md.
;;
;; Memory: 1024 the buffer (8 KiB: the setup, or 256 events), 9216 the victims (4096 slots),
;; 25600 a node a slot: u32 size, u32 the neighbour used before it, u32 the one used after it.
(module
  (@custom "larder.manifest" "{\"name\":\"lru-wat\",\"version\":\"1.0.0\",\"about\":\"Least recently used, by hand\",\"kinds\":[\"eviction\"],\"parameters\":[]}")

  (memory (export "memory") 1)
  (global $event_bytes (mut i32) (i32.const 16))
  (global $oldest (mut i32) (i32.const -1))
  (global $newest (mut i32) (i32.const -1))

  ;; Marks the version of the contract; a global does as well as a function.
  (global (export "larder_abi_v1") i32 (i32.const 1))

  (func (export "larder_buffer") (param $bytes i32) (result i32)
    (select (i32.const 1024) (i32.const 0) (i32.le_u (local.get $bytes) (i32.const 8192))))

  (func (export "larder_init") (param $bytes i32) (result i32)
    (global.set $event_bytes (i32.load offset=8 (i32.const 1024)))
    (i32.lt_u (global.get $event_bytes) (i32.const 16)))

  (func $node (param $slot i32) (result i32)
    (i32.add (i32.const 25600) (i32.mul (local.get $slot) (i32.const 12))))

  ;; Grows memory until the node of $slot is in it; traps where that cannot be.
  (func $cover (param $slot i32)
    (local $missing i32)
    (local.set $missing (i32.sub
      (i32.shr_u (i32.add (call $node (local.get $slot)) (i32.const 65547)) (i32.const 16))
      (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
        (then unreachable)))))

  ;; Puts $slot behind the newest.
  (func $push (param $slot i32)
    (local $node i32)
    (local.set $node (call $node (local.get $slot)))
    (i32.store offset=4 (local.get $node) (global.get $newest))
    (i32.store offset=8 (local.get $node) (i32.const -1))
    (if (i32.eq (global.get $newest) (i32.const -1))
      (then (global.set $oldest (local.get $slot)))
      (else (i32.store offset=8 (call $node (global.get $newest)) (local.get $slot))))
    (global.set $newest (local.get $slot)))

  (func $drop (param $slot i32)
    (local $before i32) (local $after i32)
    (local.set $before (i32.load offset=4 (call $node (local.get $slot))))
    (local.set $after (i32.load offset=8 (call $node (local.get $slot))))
    (if (i32.eq (local.get $before) (i32.const -1))
      (then (global.set $oldest (local.get $after)))
      (else (i32.store offset=8 (call $node (local.get $before)) (local.get $after))))
    (if (i32.eq (local.get $after) (i32.const -1))
      (then (global.set $newest (local.get $before)))
      (else (i32.store offset=4 (call $node (local.get $after)) (local.get $before)))))

  (func (export "larder_events") (param $count i32)
    (local $at i32) (local $slot i32) (local $kind i32)
    (local.set $at (i32.const 1024))
    (loop $next
      (if (i32.eqz (local.get $count)) (then return))
      (local.set $kind (i32.load8_u (local.get $at)))
      (local.set $slot (i32.load offset=4 (local.get $at)))
      ;; Insert.
      (if (i32.eq (local.get $kind) (i32.const 1)) (then
        (call $cover (local.get $slot))
        (call $push (local.get $slot))))
      ;; Hit or update.
      (if (i32.or (i32.eq (local.get $kind) (i32.const 2)) (i32.eq (local.get $kind) (i32.const 3))) (then
        (call $drop (local.get $slot))
        (call $push (local.get $slot))))
      ;; Insert or update: the size.
      (if (i32.or (i32.eq (local.get $kind) (i32.const 1)) (i32.eq (local.get $kind) (i32.const 3))) (then
        (i32.store (call $node (local.get $slot)) (i32.load offset=12 (local.get $at)))))
      ;; Remove.
      (if (i32.eq (local.get $kind) (i32.const 4)) (then (call $drop (local.get $slot))))
      (local.set $at (i32.add (local.get $at) (global.get $event_bytes)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))

  (func (export "larder_victims") (param $bytes i32) (result i64)
    (local $wanted i64) (local $freed i64) (local $slot i32) (local $count i32)
    (local.set $wanted (i64.load (i32.const 1024)))
    (local.set $slot (global.get $oldest))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $slot) (i32.const -1)))
        (br_if $done (i64.ge_u (local.get $freed) (local.get $wanted)))
        (br_if $done (i32.eq (local.get $count) (i32.const 4096)))
        (i32.store
          (i32.add (i32.const 9216) (i32.shl (local.get $count) (i32.const 2)))
          (local.get $slot))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $freed (i64.add (local.get $freed)
          (i64.extend_i32_u (i32.load (call $node (local.get $slot))))))
        (local.set $slot (i32.load offset=8 (call $node (local.get $slot))))
        (br $next)))
    (i64.or
      (i64.const 0x240000000000) ;; 9216 << 32
      (i64.extend_i32_u (local.get $count)))))
