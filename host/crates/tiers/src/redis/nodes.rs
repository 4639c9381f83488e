//! What the nodes of a cluster say of each other.

/// Who of a cluster's nodes has keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Primaries {
    pub(super) hosts: Vec<(String, u16)>,
    /// Replicas of the one that has the fewest, those that are away included.
    pub(super) replicas: u32,
}

impl Primaries {
    /// Out of the answer to CLUSTER NODES.
    pub(super) fn read(nodes: &str) -> Self {
        let mut primaries = Vec::new();
        let mut followed = Vec::new();
        for line in nodes.lines() {
            let mut fields = line.split(' ');
            let (Some(id), Some(addr), Some(flags), Some(follows)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let has_slots = fields.nth(4).is_some();
            let mut flags = flags.split(',');
            if flags.any(|flag| flag == "slave") {
                followed.push(follows);
            } else if has_slots {
                let addr = addr.split(['@', ',']).next().unwrap_or_default();
                let host = addr
                    .rsplit_once(':')
                    .and_then(|(name, port)| Some((name.to_owned(), port.parse().ok()?)));
                primaries.extend(host.map(|host| (id, host)));
            }
        }
        let replicas = |id: &str| followed.iter().filter(|follows| **follows == id).count();
        let fewest = primaries.iter().map(|(id, _)| replicas(id)).min();
        Self {
            replicas: fewest.unwrap_or(0) as u32,
            hosts: primaries.into_iter().map(|(_, host)| host).collect(),
        }
    }
}

/// The slots of a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots(String);

impl Slots {
    /// Out of its own answer to CLUSTER NODES.
    pub(super) fn read(nodes: &str) -> Self {
        let is_own = |line: &&str| {
            line.split(' ')
                .nth(2)
                .is_some_and(|flags| flags.contains("myself"))
        };
        let own = nodes.lines().find(is_own).unwrap_or_default();
        Self(own.splitn(9, ' ').nth(8).unwrap_or_default().to_owned())
    }

    /// Whether one of them is on its way to another node, or from one.
    pub(super) fn are_moving(&self) -> bool {
        self.0.contains('[')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_which_of_its_slots_move() {
        let read = |slots: &str| {
            Slots::read(&format!(
                "\
b 10.0.0.2:7000@17000 master - 0 0 2 connected 5461-16383 [1-<-c]
a 10.0.0.1:7000@17000 myself,master - 0 0 1 connected {slots}
"
            ))
        };
        let [rest, moving] = ["0-5460 7000", "0-5460 7000 [93->-b]"].map(read);
        assert_eq!(rest, Slots("0-5460 7000".to_owned()));
        assert!(!rest.are_moving() && moving.are_moving() && rest != moving);
        assert!(read("[93-<-b]").are_moving());
        assert_eq!(Slots::read(""), Slots(String::new()));
    }

    #[test]
    fn primaries_are_those_that_have_slots() {
        let nodes = "\
a 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460
b 10.0.0.2:7000@17000,name master - 0 0 2 connected 5461-16383
c 10.0.0.3:7000@17000 slave a 0 0 1 connected
d 10.0.0.4:7000@17000 slave,fail a 0 0 1 disconnected
e 10.0.0.5:7000@17000 slave b 0 0 2 connected
f 10.0.0.6:7000@17000 master - 0 0 3 connected

";
        let expected = Primaries {
            hosts: vec![("10.0.0.1".into(), 7000), ("10.0.0.2".into(), 7000)],
            replicas: 1,
        };
        assert_eq!(Primaries::read(nodes), expected);
    }
}
