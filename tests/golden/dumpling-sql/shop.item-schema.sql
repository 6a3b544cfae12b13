/*!40101 SET NAMES binary*/;
SET FOREIGN_KEY_CHECKS=0;
CREATE TABLE `item` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(40) DEFAULT NULL COMMENT 'a ; and a '')',
  `price` decimal(20,6) DEFAULT NULL,
  `d` double DEFAULT NULL,
  `data` varbinary(20) DEFAULT NULL,
  `bits` bit(12) DEFAULT NULL,
  `at` datetime(3) DEFAULT NULL,
  `stamp` timestamp(3) NULL DEFAULT NULL,
  `kind` enum('a','b;c') DEFAULT NULL,
  `doc` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`doc`)),
  `twice` decimal(21,6) GENERATED ALWAYS AS (`price` * 2) STORED,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=18446744073709551615 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
