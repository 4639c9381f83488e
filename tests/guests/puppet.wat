;; Does what it is told: a fuzz target's hand in the guest. What an entry is worth says what is
;; answered next, how large it is with which number; worth nothing, the guest is honest.
;;
;; Memory: 1024 the buffer (64 KiB), 81920 the victims, 131072 a u32 a slot: the size of its entry.
(module
  (@custom "larder.manifest" "{\"name\":\"puppet\",\"kinds\":[\"eviction\",\"should_cache\",\"ttl\",\"priority\"]}")
  (import "larder" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 3)
  (global (export "larder_abi_v1") i32 (i32.const 1))
  (global $order (mut i32) (i32.const 0))
  (global $number (mut i32) (i32.const 0))
  (global $slots (mut i32) (i32.const 0))

  (func (export "larder_init") (param i32) (result i32) (i32.const 0))

  (func (export "larder_buffer") (param $bytes i32) (result i32)
    (if (i32.eq (global.get $order) (i32.const 1)) (then (return (global.get $number))))
    (i32.const 1024))

  (func $place (param $slot i32) (result i32)
    (i32.add (i32.const 131072) (i32.shl (local.get $slot) (i32.const 2))))

  (func $told (param $at i32)
    (local $kind i32) (local $slot i32)
    (local.set $kind (i32.load8_u (local.get $at)))
    (local.set $slot (i32.load offset=4 (local.get $at)))
    (if (i32.gt_u (local.get $slot) (i32.const 16000)) (then unreachable))
    (if (i32.ge_u (local.get $slot) (global.get $slots))
      (then (global.set $slots (i32.add (local.get $slot) (i32.const 1)))))
    (if (i32.eq (local.get $kind) (i32.const 4))
      (then (i32.store (call $place (local.get $slot)) (i32.const 0))))
    (if (i32.eq (i32.or (local.get $kind) (i32.const 2)) (i32.const 3))
      (then
        (i32.store (call $place (local.get $slot)) (i32.load offset=12 (local.get $at)))
        (global.set $order (i32.load8_u offset=1 (local.get $at)))
        (global.set $number (i32.load offset=12 (local.get $at))))))

  (func (export "larder_events") (param $count i32)
    (local $at i32)
    (local.set $at (i32.const 1024))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $count)))
      (call $told (local.get $at))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
    (if (i32.eq (global.get $order) (i32.const 2)) (then unreachable))
    (if (i32.eq (global.get $order) (i32.const 3))
      (then (drop (memory.grow (global.get $number)))))
    (if (i32.eq (global.get $order) (i32.const 4))
      (then (call $log (i32.const 1) (i32.mul (global.get $number) (i32.const 977)) (global.get $number)))))

  ;; Names slots from the first on until they free enough.
  (func $honest (result i64)
    (local $slot i32) (local $named i32) (local $left i64) (local $size i32)
    (local.set $left (i64.load (i32.const 1024)))
    (block $done (loop $next
      (br_if $done (i64.le_s (local.get $left) (i64.const 0)))
      (br_if $done (i32.ge_u (local.get $slot) (global.get $slots)))
      (br_if $done (i32.ge_u (local.get $named) (i32.const 4096)))
      (local.set $size (i32.load (call $place (local.get $slot))))
      (if (local.get $size) (then
        (i32.store offset=81920 (i32.shl (local.get $named) (i32.const 2)) (local.get $slot))
        (local.set $named (i32.add (local.get $named) (i32.const 1)))
        (local.set $left (i64.sub (local.get $left) (i64.extend_i32_u (local.get $size))))))
      (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
      (br $next)))
    (i64.or (i64.const 0x14000_00000000) (i64.extend_i32_u (local.get $named))))

  ;; That list, beginning with this slot instead.
  (func $beginning (param $slot i32) (param $count i64) (result i64)
    (i32.store offset=81920 (i32.const 0) (local.get $slot))
    (i64.or (i64.const 0x14000_00000000) (local.get $count)))

  (func (export "larder_victims") (param i32) (result i64)
    (local $list i64)
    (local.set $list (call $honest))
    (if (i32.eq (global.get $order) (i32.const 5)) (then (return (i64.const 0))))
    (if (i32.eq (global.get $order) (i32.const 6)) (then unreachable))
    (if (i32.eq (global.get $order) (i32.const 7))
      (then (return (call $beginning (i32.const -1) (i64.const 1)))))
    (if (i32.eq (global.get $order) (i32.const 8))
      (then (return (call $beginning (i32.const -1) (i64.and (local.get $list) (i64.const 4095))))))
    (if (i32.eq (global.get $order) (i32.const 9))
      (then (return (call $beginning
        (i32.load offset=81920 (i32.const 4)) (i64.and (local.get $list) (i64.const 4095))))))
    (if (i32.eq (global.get $order) (i32.const 10))
      (then (return (call $beginning
        (i32.rem_u (global.get $number) (i32.const 97)) (i64.and (local.get $list) (i64.const 4095))))))
    (if (i32.eq (global.get $order) (i32.const 11))
      (then (return (i64.or (i64.const 0x14000_00000000)
        (i64.extend_i32_u (i32.mul (global.get $number) (i32.const 65521)))))))
    (if (i32.eq (global.get $order) (i32.const 12))
      (then (return (i64.or
        (i64.shl (i64.extend_i32_u (i32.mul (global.get $number) (i32.const 977))) (i64.const 32))
        (i64.const 3)))))
    (if (i32.eq (global.get $order) (i32.const 13)) (then (loop $again (br $again))))
    (local.get $list))

  ;; Whatever the host said was the time, or the TTL.
  (func (export "larder_should_cache") (param i32) (result i32) (i32.load (i32.const 1024)))
  (func (export "larder_ttl") (param i32) (result i64) (i64.load offset=16 (i32.const 1024)))
  (func (export "larder_priority") (param i32) (result i32) (i32.load (i32.const 1024))))
