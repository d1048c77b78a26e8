# fish completion for redis-vip. It is made from the commands:
# go test ./cmd/internal/program -run TestCompletions -update

complete -c redis-vip -f

function __redis_vip_groups
    sed -nE 's/^\[group\.([A-Za-z0-9_-]+)\].*/\1/p' /etc/redis-vip/redis-vip.toml 2>/dev/null
end

function __redis_vip_files
    find /var/lib/redis-vip -name '*.resp' -printf '%f\n' -o -name '*.rdb' -printf '%f\n' 2>/dev/null
end

complete -c redis-vip -n __fish_use_subcommand -l version -d 'print the version'
complete -c redis-vip -l help -d 'show help'

complete -c redis-vip -n __fish_use_subcommand -a explain -d 'show what redis-check sees here, and why it says what it says'
complete -c redis-vip -n __fish_use_subcommand -a lint -d 'find the mistakes in keepalived.conf, redis.conf, sentinel.conf and redis-vip.toml'
complete -c redis-vip -n __fish_use_subcommand -a switchover -d 'move the VIP and the master to another node, losing nothing; of a pair, run it where the VIP is'
complete -c redis-vip -n __fish_use_subcommand -a maintenance -d 'take this host out of service, or put it back; shows which, without an argument'
complete -c redis-vip -n __fish_use_subcommand -a preserved -d 'what a deposed master had taken, and the new one lacks'
complete -c redis-vip -n '__fish_seen_subcommand_from preserved' -a list -d 'the files of a group on this host'
complete -c redis-vip -n '__fish_seen_subcommand_from preserved' -a show -d 'the writes in a file, and to which keys'
complete -c redis-vip -n '__fish_seen_subcommand_from preserved' -a replay -d 'apply a file to the current master; keys that changed there since are left out'
complete -c redis-vip -n __fish_use_subcommand -a contested -d 'for keepalived’s notify_master_rx_lower_pri: another node announces the VIP that is here'
complete -c redis-vip -n __fish_use_subcommand -a reconcile -d 'put the VIP where the Sentinels say the master is, now'

complete -c redis-vip -n '__fish_seen_subcommand_from explain' -l expect -x -a 'any master replica' -d 'judge as for this ROLE: master, replica or any'
complete -c redis-vip -n '__fish_seen_subcommand_from explain' -l json -d 'for programs'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -F
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l keepalived -r -F -d 'read FILE instead of /etc/keepalived/keepalived.conf'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l redis -r -F -d 'read FILE instead of /etc/redis/redis.conf'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l sentinel -r -F -d 'read FILE instead of /etc/redis/sentinel.conf'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l other -r -F -d 'compare with keepalived.conf or redis.conf of the other host: FILE'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l config-id -x -d 'read the lines for @NAME, as keepalived -i does; else the host’s name up to the first dot'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l root -x -a '(__fish_complete_directories)' -d 'the host’s files are below DIR; with --offline'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l offline -d 'ask neither systemd nor any server'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l strict -d 'exit 1 for warnings too'
complete -c redis-vip -n '__fish_seen_subcommand_from lint' -l json -d 'for programs'
complete -c redis-vip -n '__fish_seen_subcommand_from switchover' -a '(__redis_vip_groups)'
complete -c redis-vip -n '__fish_seen_subcommand_from switchover' -l dry-run -d 'only check whether it could succeed'
complete -c redis-vip -n '__fish_seen_subcommand_from maintenance' -a 'on off'
complete -c redis-vip -n '__fish_seen_subcommand_from maintenance' -a '(__redis_vip_groups)'
complete -c redis-vip -n '__fish_seen_subcommand_from list' -a '(__redis_vip_groups)'
complete -c redis-vip -n '__fish_seen_subcommand_from list' -l json -d 'for programs'
complete -c redis-vip -n '__fish_seen_subcommand_from show' -a '(__redis_vip_files)'
complete -c redis-vip -n '__fish_seen_subcommand_from show' -l json -d 'for programs'
complete -c redis-vip -n '__fish_seen_subcommand_from show' -l keys -d 'only sum up'
complete -c redis-vip -n '__fish_seen_subcommand_from replay' -a '(__redis_vip_files)'
complete -c redis-vip -n '__fish_seen_subcommand_from replay' -l json -d 'for programs'
complete -c redis-vip -n '__fish_seen_subcommand_from replay' -l to -x -d 'the master, as ADDRESS[:PORT]; else found among the nodes'
complete -c redis-vip -n '__fish_seen_subcommand_from replay' -l dry-run -d 'find the conflicts, and change nothing'
complete -c redis-vip -n '__fish_seen_subcommand_from replay' -l force -d 'apply conflicts too, over what is there; after a replay, only those it left out'
complete -c redis-vip -n '__fish_seen_subcommand_from replay' -l source -d 'also onto the node that the file came from'
complete -c redis-vip -n '__fish_seen_subcommand_from reconcile' -a '(__redis_vip_groups)'
complete -c redis-vip -n '__fish_seen_subcommand_from reconcile' -l all -d 'every group that has sentinels'
complete -c redis-vip -n '__fish_seen_subcommand_from reconcile' -l quiet -d 'log only what has changed'
complete -c redis-vip -n '__fish_seen_subcommand_from reconcile' -l serve -d 'go on, every 2 s and for each ring at the socket that systemd passes; for redis-vip-reconcile.service'
complete -c redis-vip -n 'not __fish_use_subcommand' -l config -r -F -d 'read FILE instead of /etc/redis-vip/redis-vip.toml'
complete -c redis-vip -n 'not __fish_use_subcommand' -l group -x -d 'the NAME of the group; needed only where the file has several'
complete -c redis-vip -n 'not __fish_use_subcommand' -l node -x -d 'which of the nodes this host is, as ADDRESS[:PORT]; needed only where several are on one host'
complete -c redis-vip -n 'not __fish_use_subcommand' -l nodes -x -d 'the Redis servers, as ADDRESS[:PORT],…'
complete -c redis-vip -n 'not __fish_use_subcommand' -l vips -x -d 'the service addresses, as ADDRESS[/LENGTH],…'
complete -c redis-vip -n 'not __fish_use_subcommand' -l interface -x -d 'where the VIP goes, if not where its subnet is: NAME'
complete -c redis-vip -n 'not __fish_use_subcommand' -l socket -r -F -d 'reach the local Redis through the unix socket PATH'
complete -c redis-vip -n 'not __fish_use_subcommand' -l username -x -d 'ACL USER'
complete -c redis-vip -n 'not __fish_use_subcommand' -l password-file -r -F -d 'FILE that holds the password; or put it in REDIS_VIP_PASSWORD or REDISCLI_AUTH'
complete -c redis-vip -n 'not __fish_use_subcommand' -l tls -d 'use TLS'
complete -c redis-vip -n 'not __fish_use_subcommand' -l tls-ca -r -F -d 'use TLS and trust the authority in FILE'
complete -c redis-vip -n 'not __fish_use_subcommand' -l tls-cert -r -F -d 'client certificate FILE'
complete -c redis-vip -n 'not __fish_use_subcommand' -l tls-key -r -F -d 'its key FILE'
complete -c redis-vip -n 'not __fish_use_subcommand' -l tls-server-name -x -d 'the certificate is for NAME, not for the address'
complete -c redis-vip -n 'not __fish_use_subcommand' -l sentinels -x -d 'the Sentinels, as ADDRESS[:PORT],…; the others are discovered'
complete -c redis-vip -n 'not __fish_use_subcommand' -l sentinel-username -x -d 'ACL USER on the Sentinels'
complete -c redis-vip -n 'not __fish_use_subcommand' -l sentinel-password-file -r -F -d 'FILE that holds the Sentinels’ password; or put it in REDIS_VIP_SENTINEL_PASSWORD'
complete -c redis-vip -n 'not __fish_use_subcommand' -l timeout -x -d 'of one question to the local Redis, and of redis-check as a whole: DURATION'
complete -c redis-vip -n 'not __fish_use_subcommand' -l peer-timeout -x -d 'of one question to another node: DURATION'
complete -c redis-vip -n 'not __fish_use_subcommand' -l hook-timeout -x -d 'of a hook as a whole: DURATION'
complete -c redis-vip -n 'not __fish_use_subcommand' -l boot-wait -x -d 'how long a node that restarted waits for one that may have newer data: DURATION'
complete -c redis-vip -n 'not __fish_use_subcommand' -l fence-after -x -d 'how long a host with the VIP bears to reach no majority of the Sentinels: DURATION'
complete -c redis-vip -n 'not __fish_use_subcommand' -l gateway -x -d 'a TCP endpoint that answers or refuses unless this host is cut off, as ADDRESS:PORT'
complete -c redis-vip -n 'not __fish_use_subcommand' -l witnesses -x -d 'the servers that hold the lease of a pair, as ADDRESS[:PORT],…: one or three'
complete -c redis-vip -n 'not __fish_use_subcommand' -l witness-username -x -d 'ACL USER on the witnesses'
complete -c redis-vip -n 'not __fish_use_subcommand' -l witness-password-file -r -F -d 'FILE that holds the witnesses’ password; or put it in REDIS_VIP_WITNESS_PASSWORD'
complete -c redis-vip -n 'not __fish_use_subcommand' -l preserve -x -a 'require try off' -d 'what to do about writes that a new master lacks: require them saved, try, or off'
complete -c redis-vip -n 'not __fish_use_subcommand' -l state-dir -x -a '(__fish_complete_directories)' -d 'what has to survive a reboot is kept in DIR'
complete -c redis-vip -n 'not __fish_use_subcommand' -l run-dir -x -a '(__fish_complete_directories)' -d 'locks and the last verdict are kept in DIR'

